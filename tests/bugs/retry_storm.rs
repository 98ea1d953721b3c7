//! A server is slow for a while, and the clients' retries keep it busy with questions that nobody waits for any more: it is as fast as before
//! and never again in time.
//!
//! What fails is no assertion on a state but the recovery: half a minute after the trouble is over, answers must be in time again.

use crate::ms;
use sim::sync::mpsc;
use sim::sync::oneshot;
use sim::time::{Instant, sleep, timeout};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// How long a client waits for an answer.
const PATIENCE: Duration = ms(1000);
/// How long a question keeps the server busy.
const WORK: Duration = ms(40);
/// One question in this time: the server is busy for two thirds of its time.
const PAUSE: Duration = ms(60);

/// A question, until when its answer is wanted, and where the answer goes.
struct Question {
    until: Instant,
    answer: oneshot::Sender<()>,
}

/// Answers in the order of arrival. A careful server leaves out what nobody will wait for any more when it is done.
async fn serve(
    mut questions: mpsc::UnboundedReceiver<Question>,
    careful: bool,
    slow_until: Instant,
) {
    while let Some(question) = questions.recv().await {
        if careful && question.until <= Instant::now() + WORK {
            continue;
        }
        let slow = if Instant::now() < slow_until { 10 } else { 1 };
        sleep(WORK * slow).await;
        // Whoever has given up does not hear it.
        let _ = question.answer.send(());
    }
}

async fn ask(server: mpsc::UnboundedSender<Question>, tries: u32) -> bool {
    for _ in 0..tries {
        let (answer, answered) = oneshot::channel();
        let until = Instant::now() + PATIENCE;
        if server.send(Question { until, answer }).is_err() {
            return false;
        }
        if timeout(PATIENCE, answered).await.is_ok_and(|answer| answer.is_ok()) {
            return true;
        }
    }
    false
}

/// How many of a hundred questions are answered, half a minute after a time of trouble, if there is one.
async fn recovers(careful: bool) {
    let (server, questions) = mpsc::unbounded_channel();
    let trouble = ms(sim::rand::range(0..5) * 5_000);
    let begin = Instant::now();
    sim::spawn(serve(questions, careful, begin + trouble)).detach();
    let (answered, mut judged) = (Rc::new(Cell::new(0)), Vec::new());
    while begin.elapsed() < trouble + ms(36_000) {
        let (server, counted) = (server.clone(), Rc::clone(&answered));
        let is_judged = begin.elapsed() >= trouble + ms(30_000);
        let asked = sim::spawn(async move {
            if ask(server, 3).await && is_judged {
                counted.set(counted.get() + 1);
            }
        });
        if is_judged {
            judged.push(asked);
        } else {
            asked.detach();
        }
        sleep(PAUSE).await;
    }
    let asked = judged.len();
    for question in judged {
        question.await.unwrap();
    }
    let answered = answered.get();
    assert!(
        answered * 10 >= asked * 9,
        "it never recovered: {answered} of {asked} answered half a minute after {trouble:?} of trouble"
    );
}

#[sim::test(runs = 20, should_fail = "it never recovered")]
async fn a_server_works_for_those_who_have_given_up() {
    recovers(false).await;
}

#[sim::test(runs = 3)]
async fn a_server_works_for_those_who_still_wait() {
    recovers(true).await;
}
