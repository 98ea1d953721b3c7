//! Seats of a theatre in a `DashMap`, and offers in a `HashMap`, whose order is nobody's promise.

use dashmap::mapref::entry::Entry;
use dashmap::DashMap;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Who has which seat.
#[derive(Clone, Default)]
pub struct Theatre {
    pub seats: Arc<DashMap<u32, String>>,
}

impl Theatre {
    /// Takes a seat if it is free.
    pub fn take(&self, seat: u32, name: &str) -> bool {
        match self.seats.entry(seat) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(name.to_owned());
                true
            }
        }
    }

    /// Moves somebody if the other seat is free.
    pub fn change(&self, from: u32, to: u32) -> bool {
        let Some(name) = self.seats.get(&from).map(|name| name.clone()) else { return false };
        if !self.take(to, &name) {
            return false;
        }
        self.seats.remove(&from);
        true
    }
}

/// Asks every shop in the order of the map, and answers the offers as they come.
pub async fn offers(shops: HashMap<&'static str, u32>) -> Vec<(&'static str, u32)> {
    let (send, mut receive) = mpsc::channel(2);
    for (shop, price) in shops {
        let send = send.clone();
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            send.send((shop, price)).await
        });
    }
    drop(send);
    let mut heard = Vec::new();
    while let Some(offer) = receive.recv().await {
        heard.push(offer);
    }
    heard
}
