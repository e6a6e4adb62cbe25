// SPDX-License-Identifier: GPL-2.0

//! From what is to be mapped to the ways it can be laid out.
//!
//! ```text
//!   request   memory, offset, length, [va], [page size]
//!      v
//!   fill      one run of addresses, or pages one by one
//!      v
//!   layouts   best first    2 MiB leaves from a PD0's start | from any leaf's start | small pages
//!                           |<-skew->|== memory ==========|
//!                           ^ aligned like a leaf
//! ```

use kernel::prelude::*;

use super::{
    pagetable::{
        Aperture,
        Attributes,
        PageSize,
        PAGE_SIZE,
        PD1, //
    },
    shape::Fill,
    vmm::{
        MapRequest,
        Target, //
    },
};

/// What to map, and the ways to lay it out, best first.
pub(super) struct Plan<'a> {
    pub(super) fill: Fill<'a>,
    pub(super) layouts: [Option<Layout>; 3],
}

#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// No leaf is larger.
    pub(super) largest: PageSize,
    /// Of the virtual address.
    pub(super) align: u64,
    /// Bytes before the memory that are left out, so that leaves can be large.
    pub(super) skew: u64,
}

impl<'a> Plan<'a> {
    pub(super) fn new(request: &MapRequest<'a>) -> Result<Self> {
        let attributes = |aperture| Attributes {
            aperture,
            kind: request.kind,
            read_only: request.read_only,
            privileged: request.privileged,
        };
        let (offset, len) = (request.offset, request.len);
        if len == 0 || (offset | len) % PAGE_SIZE != 0 {
            return Err(EINVAL);
        }
        let fill = match request.target {
            Target::Video(start) => {
                let start = start.checked_add(offset).ok_or(EINVAL)?;
                Fill::Run(attributes(Aperture::Video), start)
            }
            Target::System(pages) => {
                let first = usize::try_from(offset / PAGE_SIZE)?;
                let end = first
                    .checked_add(usize::try_from(len / PAGE_SIZE)?)
                    .ok_or(EINVAL)?;
                let pages = pages.get(first..end).ok_or(EINVAL)?;
                let adjacent =
                    |pair: &[u64]| matches!(pair, [a, b] if a.checked_add(PAGE_SIZE) == Some(*b));
                match pages {
                    [start, ..] if pages.windows(2).all(adjacent) => {
                        Fill::Run(attributes(Aperture::System), *start)
                    }
                    _ => Fill::Pages(attributes(Aperture::System), pages),
                }
            }
        };
        Ok(Self {
            fill,
            layouts: Self::layouts(request, &fill)?,
        })
    }

    /// The ways to lay `fill` out.
    fn layouts(request: &MapRequest<'_>, fill: &Fill<'_>) -> Result<[Option<Layout>; 3]> {
        let len = request.len;
        let start = match fill {
            Fill::Run(_, start) => Some(*start),
            Fill::Sparse | Fill::Pages(..) => None,
        };
        let layout = |largest, align, skew| {
            Some(Layout {
                largest,
                align,
                skew,
            })
        };
        let (huge, big) = (PageSize::Huge.bytes(), PageSize::Big.bytes());

        if let Some(size) = request.page_size {
            let bytes = size.bytes();
            let whole = start.map_or(size == PageSize::Small, |start| start % bytes == 0);
            if !whole || len % bytes != 0 {
                return Err(EINVAL);
            }
            return Ok([layout(size, bytes, 0), None, None]);
        }
        if let Some(va) = request.va {
            let alike = |bytes: u64| start.is_some_and(|start| (start ^ va) % bytes == 0);
            let largest = match () {
                () if alike(huge) => PageSize::Huge,
                () if alike(big) => PageSize::Big,
                () => PageSize::Small,
            };
            return Ok([layout(largest, PAGE_SIZE, 0), None, None]);
        }
        let small = layout(PageSize::Small, PAGE_SIZE, 0);
        let Some(start) = start else {
            return Ok([small, None, None]);
        };
        let skew = start % huge;
        let first = start.checked_next_multiple_of(huge).ok_or(EINVAL)?;
        Ok(if first.saturating_add(huge) <= start.saturating_add(len) {
            // From 512 MiB on, start where a PD0 does, to need no more of them than necessary.
            let align = if len >= PD1.span() { PD1.span() } else { huge };
            [
                layout(PageSize::Huge, align, skew),
                layout(PageSize::Huge, huge, skew),
                small,
            ]
        } else if start % big == 0 {
            [layout(PageSize::Big, big, 0), small, None]
        } else {
            [small, None, None]
        })
    }
}
