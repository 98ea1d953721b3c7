//! A server closes a connection as idle while it works on a request, and the client sends the request again.
//!
//! The client cannot know whether a request was done of which it has no answer. To send it again is right only if doing it twice is
//! no harm.

use sim::host;
use sim::net::{Shutdown, TcpListener, TcpStream};
use sim::time::{Instant, sleep};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(5);
const PAYMENTS: u8 = 6;

/// How often each payment was done.
type Done = Rc<RefCell<[u32; PAYMENTS as usize]>>;

async fn serve(done: Done) {
    let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let last = Rc::new(Cell::new(Instant::now()));
        let (mut reader, mut writer) = stream.into_split();
        let (done, active) = (Rc::clone(&done), Rc::clone(&last));
        let worker = sim::spawn(async move {
            let mut payment = [0];
            while reader.read(&mut payment).await.is_ok_and(|read| read == 1) {
                done.borrow_mut()[usize::from(payment[0])] += 1;
                sleep(Duration::from_millis(sim::rand::range(0..300))).await;
                // Here is the mistake of the server: the time of the last answer is not that of the last activity.
                active.set(Instant::now());
                if writer.write_all(&payment).await.is_err() {
                    return;
                }
            }
        });
        sim::spawn(async move {
            while last.get().elapsed() < IDLE {
                sleep(IDLE.saturating_sub(last.get().elapsed())).await;
            }
            worker.abort();
        })
        .detach();
    }
}

async fn pay(connection: &mut Option<TcpStream>, payment: u8) -> io::Result<()> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => TcpStream::connect("shop:80").await?,
    };
    stream.write_all(&[payment]).await?;
    stream.read_exact(&mut [0]).await?;
    *connection = Some(stream);
    Ok(())
}

async fn shop(tries: u32) {
    let done = Done::default();
    let books = Rc::clone(&done);
    host("shop").run(move || serve(Rc::clone(&books)));
    let mut connection = None;
    for payment in 0..PAYMENTS {
        for _ in 0..tries {
            if pay(&mut connection, payment).await.is_ok() {
                break;
            }
        }
        // A customer thinks for about as long as the server waits.
        sleep(Duration::from_millis(sim::rand::range(4_600..5_200))).await;
    }
    for (payment, &times) in done.borrow().iter().enumerate() {
        assert!(times <= 1, "payment {payment} was done {times} times");
    }
}

#[sim::test(runs = 200, should_fail = "was done 2 times")]
async fn a_payment_without_an_answer_is_sent_again() {
    shop(2).await;
}

#[sim::test]
async fn a_payment_without_an_answer_is_left_to_the_customer() {
    shop(1).await;
}

/// Half-closing says that nothing more will be asked; it is no reason to be cut off.
#[sim::test]
async fn a_client_that_has_said_all_gets_its_answer() {
    let done = Done::default();
    let books = Rc::clone(&done);
    host("shop").run(move || serve(Rc::clone(&books)));
    let mut stream = loop {
        match TcpStream::connect("shop:80").await {
            Ok(stream) => break stream,
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    };
    stream.write_all(&[3]).await.unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!((answer.as_slice(), done.borrow()[3]), (&[3][..], 1));
}
