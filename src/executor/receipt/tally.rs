//! The tally of a table's images: by it an undo knows that it has read all of them, and each as it was written down.
//!
//! It is the same for the same images in any order, so that it is kept up to date image by image and checked by whatever
//! order they are read in; a page of the file, or of an index, that a disk has changed does not go unnoticed (CHECKS F98).

use super::Image;
use serde::{Deserialize, Serialize};

/// How many images there are, and the sum of their digests.
///
/// *Shape:* the first 16 bytes of each image's BLAKE3, added lane by lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many images.
    pub count: u64,
    sum: [u64; 2],
}

impl Tally {
    /// Counts an image.
    pub fn add(&mut self, image: &Image) {
        self.count = self.count.wrapping_add(1);
        let digest = digest(image);
        self.sum = [0, 1].map(|lane| self.sum[lane].wrapping_add(digest[lane]));
    }

    /// Takes an image out that was counted.
    pub fn remove(&mut self, image: &Image) {
        self.count = self.count.wrapping_sub(1);
        let digest = digest(image);
        self.sum = [0, 1].map(|lane| self.sum[lane].wrapping_sub(digest[lane]));
    }
}

/// Digests all of an image that an undo goes by: not its number, nor its level, which follows from the others.
fn digest(image: &Image) -> [u64; 2] {
    let mut hasher = blake3::Hasher::new();
    let content = (image.table, image.kind.word(), &image.key, &image.before, &image.after, &image.columns);
    serde_json::to_writer(&mut hasher, &content).expect("an image always serialises, and digesting never fails");
    let digest = hasher.finalize();
    let lane = |at: usize| u64::from_le_bytes(digest.as_bytes()[at..at + 8].try_into().expect("eight bytes"));
    [lane(0), lane(8)]
}
