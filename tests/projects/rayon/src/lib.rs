//! Work for processors in rayon's threads, asked for by tasks of tokio.

use rayon::prelude::*;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// The sum of all pixels of a picture.
pub async fn brightness(picture: Vec<u32>) -> u64 {
    spawn_blocking(move || picture.par_iter().map(|&pixel| u64::from(pixel)).sum()).await.expect("a sum does not panic")
}

/// A picture in which each pixel is the mean of `factor` others.
pub async fn shrink(picture: Vec<u32>, factor: usize) -> Vec<u32> {
    let (send, receive) = oneshot::channel();
    rayon::spawn(move || {
        let small = picture.par_chunks(factor).map(|group| group.iter().sum::<u32>() / group.len() as u32).collect();
        // Nobody may be waiting any more.
        let _ = send.send(small);
    });
    receive.await.expect("rayon's thread answers")
}

/// The words of all texts, sorted.
pub async fn words(texts: Vec<String>) -> Vec<String> {
    let sort = move || {
        let mut words: Vec<_> = texts.par_iter().flat_map_iter(|text| text.split_whitespace()).map(str::to_owned).collect();
        words.par_sort();
        words
    };
    spawn_blocking(sort).await.expect("sorting does not panic")
}
