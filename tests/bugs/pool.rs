//! A question is cancelled after it was sent. Its connection goes back to the pool, and the next question gets its answer.

use sim::host;
use sim::net::{TcpListener, TcpStream};
use sim::time::{sleep, timeout};
use std::io;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_millis(10);

/// Answers each byte with its double, after a while.
async fn serve() {
    let listener = TcpListener::bind("0.0.0.0:6379").await.unwrap();
    while let Ok((mut stream, _)) = listener.accept().await {
        sim::spawn(async move {
            let mut question = [0];
            while stream.read_exact(&mut question).await.is_ok() {
                sleep(Duration::from_millis(sim::rand::range(0..10))).await;
                if stream.write_all(&[question[0] * 2]).await.is_err() {
                    return;
                }
            }
        })
        .detach();
    }
}

/// A pool of one connection.
#[derive(Default)]
struct Pool {
    idle: Option<TcpStream>,
}

impl Pool {
    async fn get(&mut self) -> io::Result<TcpStream> {
        match self.idle.take() {
            Some(stream) => Ok(stream),
            None => TcpStream::connect("server:6379").await,
        }
    }
}

async fn ask(stream: &mut TcpStream, question: u8) -> io::Result<u8> {
    stream.write_all(&[question]).await?;
    let mut answer = [0];
    stream.read_exact(&mut answer).await?;
    Ok(answer[0])
}

fn check(question: u8, answer: u8) {
    assert_eq!(answer, question * 2, "the answer to another question than {question}");
}

#[sim::test(runs = 100, should_fail = "the answer to another question")]
async fn a_connection_with_an_answer_under_way_goes_back() {
    host("server").run(serve);
    let mut pool = Pool::default();
    for question in 1..20 {
        let Ok(mut stream) = pool.get().await else { continue };
        if let Ok(answer) = timeout(PATIENCE, ask(&mut stream, question)).await {
            let Ok(answer) = answer else { continue };
            check(question, answer);
        }
        pool.idle = Some(stream);
    }
}

#[sim::test]
async fn a_connection_with_an_answer_under_way_is_closed() {
    host("server").run(serve);
    let mut pool = Pool::default();
    for question in 1..20 {
        let Ok(mut stream) = pool.get().await else { continue };
        if let Ok(Ok(answer)) = timeout(PATIENCE, ask(&mut stream, question)).await {
            check(question, answer);
            pool.idle = Some(stream);
        }
    }
}
