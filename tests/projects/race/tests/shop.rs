//! What the shop promises.

use race::{price_that_was_set, served, two_customers};

#[tokio::test]
async fn nothing_is_sold_twice() {
    assert!(two_customers().await >= 0, "sold twice");
}

#[tokio::test]
async fn the_price_is_set_first() {
    assert_eq!(price_that_was_set().await, 7, "the reader ran first");
}

/// Which orders are served before the end is seen is open: `select!` draws the branch that it looks at first.
#[tokio::test]
async fn no_order_is_served_twice() {
    let served = served(3).await;
    println!("served {served}");
    assert!(served <= 3);
}
