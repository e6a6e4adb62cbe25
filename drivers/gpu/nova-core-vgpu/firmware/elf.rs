// SPDX-License-Identifier: GPL-2.0

//! Finds sections by name in the ELF64 file that carries GSP-RM.
//!
//! ```text
//!  ELF header  -> section headers (e_shoff, e_shentsize, e_shnum), names in section e_shstrndx
//!  .fwimage             GSP-RM, loaded through the radix-3 page table
//!  .fwversion           "570.144" NUL
//!  .fwsignature_ad10x   signatures for AD10x
//! ```
//!
//! Source: ELF-64 object file format; section names from OGKM 570.144 `kernel_gsp.c`.

use core::ops::Range;

use super::super::bytes::{slice, u16_at, u32_at, u64_at};
use super::container::Malformed;

const MAGIC: &[u8] = b"\x7fELF";
const CLASS_64: u8 = 2;
const DATA_LITTLE_ENDIAN: u8 = 1;

const E_SHOFF: usize = 0x28;
const E_SHENTSIZE: usize = 0x3a;
const E_SHNUM: usize = 0x3c;
const E_SHSTRNDX: usize = 0x3e;

const SHENTSIZE: u16 = 64;
const SH_NAME: usize = 0x00;
const SH_OFFSET: usize = 0x18;
const SH_SIZE: usize = 0x20;

/// Section that holds GSP-RM.
pub(crate) const FWIMAGE: &str = ".fwimage";
/// Section that holds the version string.
pub(crate) const FWVERSION: &str = ".fwversion";
/// Section that holds the signatures for AD10x chips.
pub(crate) const FWSIGNATURE_AD10X: &str = ".fwsignature_ad10x";

/// A checked ELF64 file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elf<'a> {
    file: &'a [u8],
    headers: &'a [u8],
    names: &'a [u8],
}

/// Size of the ELF header in bytes.
pub(crate) const HEADER_SIZE: usize = 64;

/// Where the contents of a section are in `file`; `None` when not inside.
fn contents(file: &[u8], header: &[u8]) -> Option<Range<usize>> {
    let start = usize::try_from(u64_at(header, SH_OFFSET)?).ok()?;
    let size = usize::try_from(u64_at(header, SH_SIZE)?).ok()?;
    let end = start.checked_add(size)?;

    (end <= file.len()).then_some(start..end)
}

impl<'a> Elf<'a> {
    /// Checks the ELF header and finds the section headers and their names.
    ///
    /// # Errors
    ///
    /// [`Malformed`] names the field.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, Malformed> {
        let ident = slice(file, 0, 16).ok_or(Malformed("ELF header"))?;
        if &ident[..4] != MAGIC || ident[4] != CLASS_64 || ident[5] != DATA_LITTLE_ENDIAN {
            return Err(Malformed("ELF magic, class or byte order"));
        }

        let half = |at| u16_at(file, at).ok_or(Malformed("ELF header"));
        let count = usize::from(half(E_SHNUM)?);
        let names_index = usize::from(half(E_SHSTRNDX)?);
        if half(E_SHENTSIZE)? != SHENTSIZE {
            return Err(Malformed("ELF section header size"));
        }

        let entry = usize::from(SHENTSIZE);
        let headers = u64_at(file, E_SHOFF)
            .and_then(|offset| usize::try_from(offset).ok())
            .and_then(|offset| slice(file, offset, count * entry))
            .ok_or(Malformed("ELF section headers"))?;
        let names = slice(headers, names_index * entry, entry)
            .and_then(|header| file.get(contents(file, header)?))
            .ok_or(Malformed("ELF section names"))?;

        Ok(Self {
            file,
            headers,
            names,
        })
    }

    /// The contents of the first section called `name`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] with the name when there is none, or when it is not inside the file.
    pub(crate) fn section(&self, name: &'static str) -> Result<&'a [u8], Malformed> {
        self.range(name)
            .and_then(|range| self.file.get(range).ok_or(Malformed(name)))
    }

    /// Where in the file they are.
    ///
    /// # Errors
    ///
    /// As [`Self::section`].
    pub(crate) fn range(&self, name: &'static str) -> Result<Range<usize>, Malformed> {
        let header = self
            .headers
            .chunks_exact(usize::from(SHENTSIZE))
            .find(|header| self.has_name(header, name))
            .ok_or(Malformed(name))?;

        contents(self.file, header).ok_or(Malformed(name))
    }

    fn has_name(&self, header: &[u8], name: &str) -> bool {
        let Some(start) = u32_at(header, SH_NAME).and_then(|start| usize::try_from(start).ok())
        else {
            return false;
        };

        slice(self.names, start, name.len()) == Some(name.as_bytes())
            && start
                .checked_add(name.len())
                .and_then(|end| self.names.get(end))
                == Some(&0)
    }
}
