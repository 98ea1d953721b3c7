//! Prices that are dear to look up, kept for a while in a cache of moka.

use moka::future::Cache;
use moka::notification::RemovalCause;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Where prices come from.
#[derive(Default)]
pub struct Source {
    pub asked: AtomicUsize,
}

impl Source {
    async fn price(&self, article: u32) -> Result<u32, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(5)).await;
        match article {
            0 => Err("no such article".to_owned()),
            _ => Ok(article * 100),
        }
    }
}

/// What left the cache, and why.
pub type Removed = Arc<Mutex<Vec<(u32, RemovalCause)>>>;

/// Prices, at most `capacity` of them, each for `lifetime`.
#[derive(Clone)]
pub struct Prices {
    pub cache: Cache<u32, u32>,
    pub source: Arc<Source>,
    pub removed: Removed,
}

impl Prices {
    pub fn new(capacity: u64, lifetime: Duration) -> Self {
        let removed = Removed::default();
        let list = removed.clone();
        let cache = Cache::builder()
            .max_capacity(capacity)
            .time_to_live(lifetime)
            .eviction_listener(move |article, _, cause| list.lock().unwrap().push((*article, cause)))
            .build();
        Self { cache, source: Arc::default(), removed }
    }

    /// The price, from the cache or from the source; who asks at the same time shares one look-up.
    pub async fn of(&self, article: u32) -> Result<u32, Arc<String>> {
        self.cache.try_get_with(article, self.source.price(article)).await
    }
}
