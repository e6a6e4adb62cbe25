// SPDX-License-Identifier: GPL-2.0

//! Geometry of the three-level page table through which booter reads GSP-RM.
//!
//! ```text
//!  level 0: 1 page, 1 entry ─▶ level 1: 1 page, one entry per level 2 page
//!                                  └─▶ level 2: one entry per 4 KiB page of the image
//! ```
//!
//! An entry is the 64-bit DMA address of a page, without flags (OGKM 570.144 `kernel_gsp.c`).

/// Page size of GSP in bytes.
pub(crate) const PAGE_SIZE: usize = 4096;
/// Entries in one page.
pub(crate) const ENTRIES: usize = PAGE_SIZE / 8;
/// Largest image that one level 1 page can describe.
pub(crate) const MAX_IMAGE: usize = ENTRIES * ENTRIES * PAGE_SIZE;

/// Pages needed for each level of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Pages of the image, which are the entries of level 2.
    pub(crate) image_pages: usize,
    /// Pages of level 2, which are the entries of level 1.
    pub(crate) level2_pages: usize,
}

impl Geometry {
    /// For an image of `size` bytes; `None` when it is empty or too large.
    pub(crate) const fn new(size: usize) -> Option<Self> {
        if size == 0 || size > MAX_IMAGE {
            return None;
        }
        let image_pages = size.div_ceil(PAGE_SIZE);
        Some(Self {
            image_pages,
            level2_pages: image_pages.div_ceil(ENTRIES),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_image() {
        assert_eq!(
            Geometry::new(0x3c9_9000),
            Some(Geometry {
                image_pages: 15_513,
                level2_pages: 31
            })
        );
    }

    #[test]
    fn limits() {
        assert_eq!(Geometry::new(0), None);
        assert_eq!(Geometry::new(MAX_IMAGE).map(|g| g.level2_pages), Some(512));
        assert_eq!(Geometry::new(MAX_IMAGE + 1), None);
        assert_eq!(Geometry::new(1).map(|g| g.image_pages), Some(1));
    }
}
