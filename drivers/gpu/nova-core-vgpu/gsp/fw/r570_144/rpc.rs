// SPDX-License-Identifier: GPL-2.0

//! Headers of a message.
//!
//! ```text
//!  slot 0  0x00 auth tag (16) | 0x10 AAD (16)              element header, 48 bytes
//!          0x20 checksum | sequence | slots | pad
//!          0x30 version | "VRPC" | length | function       RPC header, 32 bytes
//!          0x40 result | private result | sequence | spare
//!          0x50 payload … into the following slots
//! ```
//!
//! Source: OGKM 570.144 `message_queue_priv.h`, `g_rpc-message-header.h`.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Element header: transport between the two queues.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct ElementHeader {
    /// Authentication tag of confidential compute, else 0.
    pub(crate) auth_tag: [u8; 16],
    /// Additional authenticated data of confidential compute, else 0.
    pub(crate) aad: [u8; 16],
    /// Makes the XOR of all 32-bit words of the element 0.
    pub(crate) checksum: u32,
    /// Counts the elements of one queue from 0.
    pub(crate) sequence: u32,
    /// Slots that the element takes.
    pub(crate) slots: u32,
    /// Zero.
    pub(crate) pad: u32,
}

/// RPC header: what the message says.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct RpcHeader {
    /// [`RPC_VERSION`].
    pub(crate) version: u32,
    /// [`RPC_SIGNATURE`].
    pub(crate) signature: u32,
    /// Bytes of this header and the payload in this element.
    pub(crate) length: u32,
    /// Function or event.
    pub(crate) function: u32,
    /// Raw NV_STATUS of the reply; [`RESULT_REQUEST`] in a request.
    pub(crate) result: u32,
    /// Second status of the reply; [`RESULT_REQUEST`] in a request.
    pub(crate) result_private: u32,
    /// Number of the request, repeated in the reply.
    pub(crate) sequence: u32,
    /// Unused on bare metal.
    pub(crate) spare: u32,
}

/// Both headers.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct Headers {
    /// Transport.
    pub(crate) element: ElementHeader,
    /// Message.
    pub(crate) rpc: RpcHeader,
}

/// `RpcHeader.version`.
pub(crate) const RPC_VERSION: u32 = 0x0300_0000;
/// `RpcHeader.signature`.
pub(crate) const RPC_SIGNATURE: u32 = u32::from_le_bytes(*b"VRPC");
/// Results of a request that has not been answered.
pub(crate) const RESULT_REQUEST: u32 = u32::MAX;

/// Bytes of the element header.
pub(crate) const ELEMENT_HEADER_SIZE: usize = size_of::<ElementHeader>();
/// Bytes of the RPC header.
pub(crate) const RPC_HEADER_SIZE: usize = size_of::<RpcHeader>();
/// Bytes of both headers.
pub(crate) const HEADERS_SIZE: usize = size_of::<Headers>();

/// Bytes of one slot of a queue.
pub(crate) const SLOT_SIZE: usize = 4096;
/// Largest element in slots.
pub(crate) const MAX_SLOTS: usize = 16;
/// Largest payload of one element in bytes.
pub(crate) const MAX_PAYLOAD: usize = MAX_SLOTS * SLOT_SIZE - HEADERS_SIZE;

const _: () = assert!(ELEMENT_HEADER_SIZE == 0x30);
const _: () = assert!(RPC_HEADER_SIZE == 0x20);
const _: () = assert!(core::mem::offset_of!(ElementHeader, checksum) == 0x20);
const _: () = assert!(core::mem::offset_of!(Headers, rpc) == 0x30);
const _: () = assert!(core::mem::offset_of!(RpcHeader, sequence) == 0x18);
const _: () = assert!(MAX_PAYLOAD == 65456);
