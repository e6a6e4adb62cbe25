// SPDX-License-Identifier: GPL-2.0

//! Which VF has which type, and which place on the GPU.
//!
//! ```text
//!   select      the VF has a type, and a place that nobody else has: opening it cannot fail for
//!               want of one. As long as it is closed, its place may change for the sake of others
//!   open        the place is fixed: firmware knows it
//!   close       firmware has forgotten it, or has not: then the place stays out of use
//!   restore     firmware was booted again: nothing is out of use any more
//!
//!   nothing open   places are arranged anew if that makes room: heterogeneous if possible, else
//!                  homogeneous if all types have one shape
//!   else           firmware is told the layout before the first vGPU and keeps it until the last
//!                  one is gone: only what is closed may move
//! ```
//!
//! Whether a type can be selected is found out by selecting it in a copy, so that what is listed and
//! what is accepted cannot differ.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use super::placement::{
    Layout,
    Place,
    Resources,
    Table,
    Units,
    MAX_PLACES, //
};

/// Most VFs of a GPU.
pub(crate) const MAX_VFS: usize = MAX_PLACES;

/// Why something was refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The VF is open.
    Open,
    /// The VF has no type, or there is no such VF.
    NoType,
    /// No place is left for the type.
    Full,
    /// vGPUs of another shape are open, and beside them there is only place for more of these.
    OtherShape,
    /// The type has no place with that ID.
    NoSuchPlace,
    /// Another vGPU has that place or part of it.
    Taken,
}

/// A type of vGPU as far as places are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Number of the type.
    pub(crate) vgpu_type: u8,
    /// Number of the table of its shape.
    pub(crate) table: u8,
}

/// A place in the list of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spot {
    table: u8,
    at: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Selected {
    choice: Choice,
    /// Placement ID that user space wants.
    pinned: Option<u16>,
    /// `None` only while places are being arranged.
    at: Option<u8>,
}

impl Selected {
    fn spot(&self) -> Option<Spot> {
        let table = self.choice.table;
        self.at.map(|at| Spot { table, at })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Vf {
    selected: Option<Selected>,
    open: bool,
    /// What firmware knows of; also after closing, until firmware has forgotten it.
    claim: Option<Spot>,
}

/// What firmware does not let go of before it is booted again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    units: Units,
    /// A table that some of it is from; with a layout for one shape, the only one.
    table: Option<u8>,
    /// What the tables leave out: it was lost before there was a plan.
    left_out: bool,
}

impl Lost {
    /// Whether a place is out of use because of what was lost before there was a plan.
    fn leaves_out(&self, table: &Table, layout: Layout, at: usize) -> bool {
        self.left_out && table.is_left_out(layout, at)
    }
}

/// All VFs of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    layout: Layout,
    /// Firmware can have types of several shapes.
    mixed: bool,
    vfs: [Vf; MAX_VFS],
    lost: Lost,
}

fn place(tables: &[Table], layout: Layout, spot: Spot) -> Option<(&Table, &Place)> {
    let table = tables.get(usize::from(spot.table))?;
    Some((table, table.places(layout).get(usize::from(spot.at))?))
}

fn units(tables: &[Table], layout: Layout, spot: Option<Spot>) -> Units {
    spot.and_then(|spot| place(tables, layout, spot))
        .map_or(0, |(table, place)| table.units(place))
}

impl Plan {
    /// Nobody has a type. `mixed`: firmware can have types of several shapes; `left_out`: it has
    /// something already, and the tables leave out places for that.
    pub(crate) fn new(mixed: bool, left_out: bool) -> Self {
        Self {
            layout: if mixed {
                Layout::Heterogeneous
            } else {
                Layout::Homogeneous
            },
            mixed,
            vfs: [Vf::default(); MAX_VFS],
            lost: Lost {
                left_out,
                ..Lost::default()
            },
        }
    }

    /// How places are arranged now.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// The type of a VF.
    pub(crate) fn selected(&self, vf: usize) -> Option<Choice> {
        let selected = self.vfs.get(vf)?.selected?;
        Some(selected.choice)
    }

    /// Whether a VF is open.
    pub(crate) fn is_open(&self, vf: usize) -> bool {
        self.vfs.get(vf).is_some_and(|v| v.open)
    }

    /// What a VF with a type has, or would have when opened now.
    pub(crate) fn resources(&self, tables: &[Table], vf: usize) -> Option<Resources> {
        let spot = self.vfs.get(vf)?.selected?.spot()?;
        let (table, place) = place(tables, self.layout, spot)?;
        Some(table.resources(place))
    }

    /// Gives a VF a type, whatever it had before; the one that it has is kept as it is.
    ///
    /// # Errors
    ///
    /// `Open`, `Full`, `OtherShape`.
    pub(crate) fn select(
        &mut self,
        tables: &[Table],
        vf: usize,
        choice: Choice,
    ) -> Result<(), Refusal> {
        if self.is_open(vf) {
            return Err(Refusal::Open);
        }
        if self.selected(vf) == Some(choice) {
            return Ok(());
        }
        let other_shape = self.is_frozen()
            && self.layout == Layout::Homogeneous
            && self.claimed_tables().any(|table| table != choice.table);
        let selected = Selected {
            choice,
            pinned: None,
            at: None,
        };
        self.change(tables, vf, Some(selected))
            .map_err(|refusal| match refusal {
                Refusal::Full if other_shape => Refusal::OtherShape,
                refusal => refusal,
            })
    }

    /// Takes a VF's type away; one that has none stays without.
    ///
    /// # Errors
    ///
    /// `Open`.
    pub(crate) fn deselect(&mut self, tables: &[Table], vf: usize) -> Result<(), Refusal> {
        self.change(tables, vf, None)
    }

    /// Gives a VF the place with this ID, or, with `None`, any.
    ///
    /// # Errors
    ///
    /// `Open`, `NoType`, `NoSuchPlace`, `Taken`.
    pub(crate) fn pin(
        &mut self,
        tables: &[Table],
        vf: usize,
        pinned: Option<u16>,
    ) -> Result<(), Refusal> {
        let selected = self.vfs.get(vf).and_then(|v| v.selected);
        let mut selected = selected.ok_or(Refusal::NoType)?;
        let table = tables.get(usize::from(selected.choice.table));
        let known = |id| {
            [Layout::Heterogeneous, Layout::Homogeneous]
                .into_iter()
                .filter(|l| !self.is_frozen() || *l == self.layout)
                .any(|l| table.is_some_and(|t| t.places(l).iter().any(|p| p.id == id)))
        };
        if self.is_open(vf) {
            return Err(Refusal::Open);
        }
        if pinned.is_some_and(|id| !known(id)) {
            return Err(Refusal::NoSuchPlace);
        }
        selected.pinned = pinned;
        if pinned.is_some() {
            selected.at = None;
        }
        self.change(tables, vf, Some(selected))
            .map_err(|refusal| match refusal {
                Refusal::Full => Refusal::Taken,
                refusal => refusal,
            })
    }

    fn change(
        &mut self,
        tables: &[Table],
        vf: usize,
        selected: Option<Selected>,
    ) -> Result<(), Refusal> {
        let mut next = *self;
        let slot = next.vfs.get_mut(vf).ok_or(Refusal::NoType)?;
        if slot.open {
            return Err(Refusal::Open);
        }
        slot.selected = selected;
        if !next.settle(tables) {
            return Err(Refusal::Full);
        }
        *self = next;
        Ok(())
    }

    /// Fixes the place of a VF, which is open from now on. Another place is taken if it is free, may
    /// be taken, and `prefer` wants it more.
    ///
    /// # Errors
    ///
    /// `Open`, `NoType`.
    pub(crate) fn open(
        &mut self,
        tables: &[Table],
        vf: usize,
        prefer: impl Fn(&Resources) -> bool,
    ) -> Result<Resources, Refusal> {
        let layout = self.layout;
        let used = self.used_by_others(tables, vf);
        let lost = self.lost;
        let slot = self.vfs.get_mut(vf).ok_or(Refusal::NoType)?;
        if slot.open {
            return Err(Refusal::Open);
        }
        let selected = slot.selected.as_mut().ok_or(Refusal::NoType)?;
        let mut spot = selected.spot().ok_or(Refusal::NoType)?;
        let (table, own) = place(tables, layout, spot).ok_or(Refusal::NoType)?;
        let mut resources = table.resources(own);
        if selected.pinned.is_none() && !prefer(&resources) {
            let others = table.places(layout).iter().enumerate();
            let better = others
                .filter(|(at, p)| {
                    table.units(p) & used == 0 && !lost.leaves_out(table, layout, *at)
                })
                .map(|(at, p)| (at, table.resources(p)))
                .find(|(_, r)| prefer(r));
            if let Some((at, r)) = better {
                // CAST: At most `MAX_PLACES`.
                spot.at = at as u8;
                resources = r;
            }
        }
        selected.at = Some(spot.at);
        slot.claim = Some(spot);
        slot.open = true;
        Ok(resources)
    }

    /// A VF is closed. What it had stays out of use unless [`Self::forget`] came or comes.
    pub(crate) fn close(&mut self, tables: &[Table], vf: usize) {
        if let Some(slot) = self.vfs.get_mut(vf) {
            slot.open = false;
            self.thaw(tables);
        }
    }

    /// Firmware has forgotten what the VF had.
    pub(crate) fn forget(&mut self, tables: &[Table], vf: usize) {
        if let Some(slot) = self.vfs.get_mut(vf) {
            slot.claim = None;
            self.thaw(tables);
        }
    }

    /// If the layout may change now, and a better one is possible, it does.
    fn thaw(&mut self, tables: &[Table]) {
        let mut next = *self;
        if next.settle(tables) {
            *self = next;
        }
    }

    /// Firmware will not forget what the VF had, which is going and has no type any more.
    pub(crate) fn lose(&mut self, tables: &[Table], vf: usize) {
        if let Some(slot) = self.vfs.get_mut(vf) {
            let claim = slot.claim.take();
            slot.selected = None;
            self.lost.units |= units(tables, self.layout, claim);
            self.lost.table = claim.map(|c| c.table).or(self.lost.table);
        }
    }

    /// Firmware was booted again: it has nothing, whatever it did not let go of before.
    pub(crate) fn restore(&mut self, tables: &[Table]) {
        self.lost = Lost::default();
        self.thaw(tables);
    }

    /// Firmware knows of vGPUs, and so of a layout.
    fn is_frozen(&self) -> bool {
        let lost = self.lost.units != 0 || self.lost.left_out;
        lost || self.vfs.iter().any(|v| v.open || v.claim.is_some())
    }

    /// Tables of all that firmware knows of.
    fn claimed_tables(&self) -> impl Iterator<Item = u8> + '_ {
        let claims = self.vfs.iter().filter_map(|v| v.claim);
        claims.map(|c| c.table).chain(self.lost.table)
    }

    fn used_by_others(&self, tables: &[Table], vf: usize) -> Units {
        let others = self.vfs.iter().enumerate().filter(|(i, _)| *i != vf);
        others
            .flat_map(|(_, v)| [v.claim, v.selected.and_then(|s| s.spot())])
            .fold(self.lost.units, |used, spot| {
                used | units(tables, self.layout, spot)
            })
    }

    /// Gives everybody with a type a place. Returns whether there was one.
    fn settle(&mut self, tables: &[Table]) -> bool {
        if self.is_frozen() {
            let layout = self.layout;
            return self.arrange(tables, layout, true) || self.arrange(tables, layout, false);
        }
        [Layout::Heterogeneous, Layout::Homogeneous]
            .into_iter()
            .any(|layout| {
                (layout == self.layout && self.arrange(tables, layout, true))
                    || self.arrange(tables, layout, false)
            })
    }

    /// The same for one layout. `keep`: who has a place in it keeps it.
    fn arrange(&mut self, tables: &[Table], layout: Layout, keep: bool) -> bool {
        let possible = match layout {
            Layout::Heterogeneous => self.mixed,
            Layout::Homogeneous => self.is_of_one_shape(),
        };
        if !possible {
            return false;
        }
        let mut next = *self;
        next.layout = layout;
        let claims = self.vfs.iter().map(|v| units(tables, layout, v.claim));
        let mut used = claims.fold(self.lost.units, |used, claim| used | claim);

        // Those who must not move, those who want a certain place, then the largest ones: they find
        // a place least easily.
        for slot in &mut next.vfs {
            if let Some(selected) = &mut slot.selected {
                // An open one has what it claims.
                if !slot.open && !keep {
                    selected.at = None;
                }
                used |= units(tables, layout, selected.spot());
            }
        }
        for slot in &mut next.vfs {
            let own = units(tables, layout, slot.claim);
            let Some(selected) = slot.selected.as_mut().filter(|s| s.at.is_none()) else {
                continue;
            };
            if let Some(id) = selected.pinned {
                let at = self.find(tables, layout, selected, used & !own, |p| p.id == id);
                let Some(at) = at else {
                    return false;
                };
                selected.at = Some(at);
                used |= units(tables, layout, selected.spot());
            }
        }
        // Of equals, the first one.
        while let Some(slot) = next
            .vfs
            .iter_mut()
            .rev()
            .filter(|v| v.selected.is_some_and(|s| s.at.is_none()))
            .max_by_key(|v| v.selected.map(|s| size(tables, &s)))
        {
            let own = units(tables, layout, slot.claim);
            let Some(selected) = &mut slot.selected else {
                return false;
            };
            let Some(at) = self.find(tables, layout, selected, used & !own, |_| true) else {
                return false;
            };
            selected.at = Some(at);
            used |= units(tables, layout, selected.spot());
        }
        *self = next;
        true
    }

    fn is_of_one_shape(&self) -> bool {
        let selected = self.vfs.iter().filter_map(|v| v.selected);
        let mut shapes = selected
            .map(|s| s.choice.table)
            .chain(self.claimed_tables());
        let first = shapes.next();
        shapes.all(|table| Some(table) == first)
    }

    /// The first place of a type that is not used and wanted.
    fn find(
        &self,
        tables: &[Table],
        layout: Layout,
        selected: &Selected,
        used: Units,
        wanted: impl Fn(&Place) -> bool,
    ) -> Option<u8> {
        let table = tables.get(usize::from(selected.choice.table))?;
        let mut places = table.places(layout).iter().enumerate();
        let (at, _) = places.find(|(at, p)| {
            table.units(p) & used == 0 && !self.lost.leaves_out(table, layout, *at) && wanted(p)
        })?;
        u8::try_from(at).ok()
    }
}

/// Units of a place of the type.
fn size(tables: &[Table], selected: &Selected) -> u32 {
    let table = tables.get(usize::from(selected.choice.table));
    table.map_or(0, |t| t.shape().units)
}
