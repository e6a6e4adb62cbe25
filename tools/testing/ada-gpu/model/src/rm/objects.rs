// SPDX-License-Identifier: GPL-2.0

//! The tree of RM clients and objects.
//!
//! ```text
//!   hClient 0xc1d00001            (its own handle is its root object)
//!     +-- 0xde1d0000  device      freeing a node frees everything below it,
//!           +-- 0x5d1d0000        children first
//! ```
//!
//! The order of the checks, and the status of each, is that of the resource
//! server: OGKM 570.144 `src/nvidia/src/libraries/resserv/src/rs_server.c`,
//! `rs_client.c` and `src/nvidia/src/kernel/rmapi/{alloc_free,control,resource_list}`,
//! with `RS_COMPATABILITY_MODE` on as `src/nvidia/Makefile` has it.

use crate::bytes::u32_at;
use crate::rm::classes::{self, Class, Kind};
use crate::rm::status::{refuse, Refusal};
use std::collections::BTreeMap;

/// One object below a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its class.
    pub class: &'static Class,
    /// Handle of the parent; 0 for a root.
    pub parent: u32,
}

/// One object that [`Objects::free`] freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// Its handle.
    pub handle: u32,
    /// What it was.
    pub kind: Kind,
}

/// All clients and their objects.
#[derive(Debug, Default, Clone)]
pub struct Objects {
    clients: BTreeMap<u32, BTreeMap<u32, Object>>,
    /// RM's own client, not counted and never freed.
    internal: Option<u32>,
}

impl Objects {
    /// The tree as RM starts with it: its own client with device and subdevice,
    /// whose handles it tells the driver.
    pub fn with_internal(client: u32, device: u32, subdevice: u32) -> Objects {
        let mut objects = BTreeMap::new();
        for (handle, parent, number) in [
            (client, 0, classes::ROOT),
            (device, client, classes::DEVICE),
            (subdevice, device, classes::SUBDEVICE),
        ] {
            if let Some(class) = classes::class(number) {
                objects.insert(handle, Object { class, parent });
            }
        }
        Objects {
            clients: BTreeMap::from([(client, objects)]),
            internal: Some(client),
        }
    }

    fn drivers(&self) -> impl Iterator<Item = (&u32, &BTreeMap<u32, Object>)> {
        self.clients
            .iter()
            .filter(|(c, _)| Some(**c) != self.internal)
    }

    /// Number of clients the driver has.
    pub fn clients(&self) -> usize {
        self.drivers().count()
    }

    /// Number of objects the driver has, roots not counted.
    pub fn objects(&self) -> usize {
        self.drivers().map(|(_, c)| c.len() - 1).sum()
    }

    /// Whether a client with this handle exists.
    pub fn has_client(&self, client: u32) -> bool {
        self.clients.contains_key(&client)
    }

    /// Allocates an object.
    ///
    /// For a root class `handle` must be `client` or 0; the parent is ignored.
    pub fn alloc(
        &mut self,
        client: u32,
        parent: u32,
        handle: u32,
        number: u32,
        params: &[u8],
    ) -> Result<(), Refusal> {
        let Some(class) = classes::class(number) else {
            refuse!(
                ERR_INVALID_CLASS,
                "class",
                "class {number:#x} is not one GSP-RM has"
            )
        };
        if !class.params.contains(&params.len()) {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "alloc-size",
                "class {number:#x} with {} bytes of parameters, expected {:?}",
                params.len(),
                class.params
            )
        }
        if class.kind == Kind::Client {
            return self.alloc_root(client, handle, class);
        }
        let Some(objects) = self.clients.get_mut(&client) else {
            refuse!(
                ERR_INVALID_OBJECT_HANDLE,
                "client",
                "allocation below unknown client {client:#x}"
            )
        };
        if handle == client {
            refuse!(
                ERR_INVALID_OBJECT_PARENT,
                "parent",
                "class {number:#x} cannot be the client {client:#x} itself"
            )
        }
        let Some(above) = objects.get(&parent) else {
            refuse!(
                ERR_OBJECT_NOT_FOUND,
                "object",
                "parent {parent:#x} is not an object of {client:#x}"
            )
        };
        if !class.parents.contains(&above.class.kind) {
            refuse!(
                ERR_INVALID_OBJECT_PARENT,
                "parent",
                "class {number:#x} cannot be below {:?} {parent:#x}",
                above.class.kind
            )
        }
        if handle == 0 {
            refuse!(ERR_INVALID_OBJECT_HANDLE, "handle", "object handle 0")
        }
        if objects.contains_key(&handle) {
            refuse!(
                ERR_INSERT_DUPLICATE_NAME,
                "duplicate",
                "handle {handle:#x} is taken in client {client:#x}"
            )
        }
        Self::construct(objects, class, parent, params)?;
        objects.insert(handle, Object { class, parent });
        Ok(())
    }

    fn alloc_root(
        &mut self,
        client: u32,
        handle: u32,
        class: &'static Class,
    ) -> Result<(), Refusal> {
        if client == 0 || (handle != client && handle != 0) {
            refuse!(
                ERR_INVALID_OBJECT_HANDLE,
                "handle",
                "root handle {handle:#x} differs from client {client:#x}"
            )
        }
        if self.clients.contains_key(&client) {
            refuse!(
                ERR_INSERT_DUPLICATE_NAME,
                "duplicate",
                "client {client:#x} exists"
            )
        }
        let root = Object { class, parent: 0 };
        self.clients
            .insert(client, BTreeMap::from([(client, root)]));
        Ok(())
    }

    /// The checks of each class's constructor (OGKM `gpu/device.c`,
    /// `gpu/subdevice/subdevice.c`): one GPU, so instance 0 only, and one object
    /// per instance.
    fn construct(
        objects: &BTreeMap<u32, Object>,
        class: &Class,
        parent: u32,
        params: &[u8],
    ) -> Result<(), Refusal> {
        let instance = u32_at(params, 0).unwrap_or(0);
        let single = match class.kind {
            Kind::Device if instance >= 32 => {
                refuse!(
                    ERR_INVALID_ARGUMENT,
                    "instance",
                    "device instance {instance}"
                )
            }
            Kind::Device if instance != 0 => {
                refuse!(
                    ERR_INVALID_STATE,
                    "instance",
                    "no GPU behind device instance {instance}"
                )
            }
            Kind::Subdevice if instance != 0 => {
                refuse!(
                    ERR_INVALID_CLASS,
                    "instance",
                    "subdevice instance {instance}"
                )
            }
            Kind::Device | Kind::Subdevice => true,
            _ => false,
        };
        if single
            && objects
                .values()
                .any(|o| o.class.kind == class.kind && o.parent == parent)
        {
            refuse!(
                ERR_INSUFFICIENT_RESOURCES,
                "instance",
                "{:?} instance 0 exists below {parent:#x}",
                class.kind
            )
        }
        Ok(())
    }

    /// Takes an object back whose construction failed; it has nothing below it.
    pub fn forget(&mut self, client: u32, handle: u32) {
        if let Some(objects) = self.clients.get_mut(&client) {
            objects.remove(&handle);
        }
    }

    /// Frees `handle` and everything below it; a client's own handle frees the client.
    ///
    /// Returns what was freed, children first. An unknown object in a known client
    /// is not an error to RM (compatibility mode): it gives an empty list.
    pub fn free(&mut self, client: u32, handle: u32) -> Result<Vec<Freed>, Refusal> {
        let Some(objects) = self.clients.get_mut(&client) else {
            refuse!(
                ERR_INVALID_OBJECT_HANDLE,
                "client",
                "free in unknown client {client:#x}"
            )
        };
        if self.internal == Some(client) {
            refuse!(
                ERR_INVALID_CLIENT,
                "client-internal",
                "free of {handle:#x} in RM's own client"
            )
        }
        if !objects.contains_key(&handle) {
            return Ok(Vec::new());
        }
        let mut doomed = vec![handle];
        let mut next = 0;
        while let Some(&at) = doomed.get(next) {
            doomed.extend(
                objects
                    .iter()
                    .filter(|(_, o)| o.parent == at)
                    .map(|(h, _)| *h),
            );
            next += 1;
        }
        let freed = doomed
            .iter()
            .rev()
            .filter_map(|h| {
                objects.remove(h).map(|o| Freed {
                    handle: *h,
                    kind: o.class.kind,
                })
            })
            .collect();
        if handle == client {
            self.clients.remove(&client);
        }
        Ok(freed)
    }

    /// Finds the object a control is addressed to.
    pub fn find(&self, client: u32, handle: u32) -> Result<&Object, Refusal> {
        let Some(objects) = self.clients.get(&client) else {
            refuse!(
                ERR_INVALID_CLIENT,
                "client",
                "control by unknown client {client:#x}"
            )
        };
        match objects.get(&handle) {
            Some(o) => Ok(o),
            None => refuse!(
                ERR_OBJECT_NOT_FOUND,
                "object",
                "control on unknown object {handle:#x} of client {client:#x}"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
