//! What stands in the log, and when.

use logbook::{moment, shift, step, Book};
use std::time::Duration;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::set_default;
use tracing::Level;
use tracing_subscriber::fmt;

const DAY: u64 = 24 * 3600 * 1_000_000;

#[tokio::test]
async fn the_times_of_two_lines_tell_what_was_waited() {
    let book = Book::default();
    let _guard = set_default(fmt().with_ansi(false).with_writer(book.clone()).finish());
    step(2, Duration::from_millis(700)).await;
    let lines = book.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("INFO step{order=2}: logbook: ")), "{lines:?}");
    let moments: Vec<_> = lines.iter().map(|line| moment(line).expect("a time stands there")).collect();
    let waited = (moments[1] + DAY - moments[0]) % DAY;
    assert!((700_000..60_000_000).contains(&waited), "{waited} µs");
}

#[tokio::test]
async fn each_line_stands_in_the_span_of_its_worker() {
    let book = Book::default();
    let _guard = set_default(fmt().with_ansi(false).with_writer(book.clone()).finish());
    shift(4).await;
    let lines = book.lines();
    assert_eq!(lines.len(), 10, "four begin, four end, two are odd: {lines:?}");
    for order in 0..4 {
        let span = format!("worker{{number={order}}}:step{{order={order}}}: logbook: ");
        let of_one: Vec<_> = lines.iter().filter_map(|line| line.split_once(&span)).map(|(_, text)| text).collect();
        let odd = format!("an odd order odd={order}");
        let expected = if order % 2 == 1 { vec!["begun", &odd, "done"] } else { vec!["begun", "done"] };
        assert_eq!(of_one, expected);
    }
    let moments: Vec<_> = lines.iter().filter_map(|line| moment(line)).collect();
    assert!(moments.is_sorted() || moments.iter().max() > Some(&(DAY - 60_000_000)), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_level_hides_lines_also_in_other_threads() {
    let book = Book::default();
    let subscriber = fmt().with_ansi(false).with_max_level(Level::WARN).with_writer(book.clone()).finish();
    let work = async {
        let tasks: Vec<_> = (0..6)
            .map(|order| tokio::spawn(step(order, Duration::from_millis(5)).with_current_subscriber()))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    };
    work.with_subscriber(subscriber).await;
    let mut odd: Vec<_> =
        book.lines().iter().filter_map(|line| line.rsplit('=').next()?.parse::<u32>().ok()).collect();
    odd.sort_unstable();
    assert_eq!(odd, [1, 3, 5]);
}
