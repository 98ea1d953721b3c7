//! A bank whose accounts are actors: each owns its balance and is asked over channels.

use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch, Semaphore};

enum Order {
    Pay { amount: i64, done: oneshot::Sender<bool> },
    Balance(oneshot::Sender<i64>),
}

/// An account that is open until its last handle is gone.
#[derive(Clone)]
pub struct Account(mpsc::Sender<Order>);

impl Account {
    /// Opens an account, and tells `ledger` of each payment.
    pub fn open(mut balance: i64, ledger: broadcast::Sender<i64>) -> Self {
        let (send, mut orders) = mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(order) = orders.recv().await {
                match order {
                    Order::Pay { amount, done } => {
                        let is_covered = balance + amount >= 0;
                        if is_covered {
                            balance += amount;
                            // Nobody has to listen.
                            let _ = ledger.send(amount);
                        }
                        let _ = done.send(is_covered);
                    }
                    Order::Balance(answer) => {
                        let _ = answer.send(balance);
                    }
                }
            }
        });
        Self(send)
    }

    /// Pays in, or out if it is negative and covered.
    pub async fn pay(&self, amount: i64) -> bool {
        let (done, is_done) = oneshot::channel();
        self.0.send(Order::Pay { amount, done }).await.is_ok() && is_done.await.unwrap_or(false)
    }

    pub async fn balance(&self) -> i64 {
        let (answer, answered) = oneshot::channel();
        match self.0.send(Order::Balance(answer)).await {
            Ok(()) => answered.await.unwrap_or(0),
            Err(_) => 0,
        }
    }
}

/// Moves `amount` from one account to another, at most `lanes` moves at once.
pub async fn transfer(lanes: &Semaphore, from: &Account, to: &Account, amount: i64) -> bool {
    let _lane = lanes.acquire().await.expect("lanes stay open");
    from.pay(-amount).await && to.pay(amount).await
}

/// Adds up what it hears until it is told to stop, then says the sum.
pub async fn audit(mut ledger: broadcast::Receiver<i64>, mut stop: watch::Receiver<bool>) -> i64 {
    let mut sum = 0;
    loop {
        tokio::select! {
            heard = ledger.recv() => match heard {
                Ok(amount) => sum += amount,
                Err(_) => return sum,
            },
            _ = stop.wait_for(|is_over| *is_over) => break,
            () = tokio::time::sleep(Duration::from_secs(60)) => panic!("nothing happens in this bank"),
        }
    }
    // What was paid before the end counts.
    while let Ok(amount) = ledger.try_recv() {
        sum += amount;
    }
    sum
}
