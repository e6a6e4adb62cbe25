// SPDX-License-Identifier: GPL-2.0

//! Sections by name of the ELF container around the GSP firmware.
//!
//! ```text
//!   ELF header      0x28 shoff, 0x3a shentsize, 0x3c shnum, 0x3e shstrndx
//!   section header  0x00 name, 0x18 offset, 0x20 size        (64 bytes)
//! ```
//!
//! Layout: ELF-64 Object File Format. The container is a relocatable RISC-V
//! object without code; only its section table means anything.

use crate::bytes::{le16, le32, le64, slice, FormatError};

const MAGIC: &[u8] = b"\x7fELF";
const CLASS_OFFSET: usize = 4;
const CLASS_64: u8 = 2;
const DATA_OFFSET: usize = 5;
const DATA_LITTLE_ENDIAN: u8 = 1;
const SHOFF: usize = 0x28;
const SHENTSIZE: usize = 0x3a;
const SHNUM: usize = 0x3c;
const SHSTRNDX: usize = 0x3e;
const SECTION_HEADER_SIZE: usize = 64;
const SECTION_OFFSET: usize = 0x18;
const SECTION_SIZE: usize = 0x20;

/// The section table of an ELF file.
pub struct Sections<'a> {
    file: &'a [u8],
    table: usize,
    count: usize,
    names: &'a [u8],
}

impl<'a> Sections<'a> {
    /// Reads the table; the sections are checked when asked for.
    ///
    /// # Errors
    ///
    /// Not a 64-bit little-endian ELF file, or its table leaves the file.
    pub fn parse(file: &'a [u8]) -> Result<Self, FormatError> {
        let ident = slice(file, 0, DATA_OFFSET + 1, "ELF identification")?;
        if !ident.starts_with(MAGIC)
            || ident[CLASS_OFFSET] != CLASS_64
            || ident[DATA_OFFSET] != DATA_LITTLE_ENDIAN
        {
            return Err(FormatError::new("ELF identification", 0));
        }
        let table = le64(file, SHOFF, "section table offset")?;
        let entry = le16(file, SHENTSIZE, "section header size")?;
        if usize::from(entry) != SECTION_HEADER_SIZE {
            return Err(FormatError::new("section header size", SHENTSIZE));
        }
        let count = usize::from(le16(file, SHNUM, "section count")?);
        slice(file, table, count * SECTION_HEADER_SIZE, "section table")?;
        let strings = usize::from(le16(file, SHSTRNDX, "name section index")?);
        if strings >= count {
            return Err(FormatError::new("name section index", SHSTRNDX));
        }
        let mut sections = Self {
            file,
            table,
            count,
            names: &[],
        };
        sections.names = sections.content(strings)?;
        Ok(sections)
    }

    fn header(&self, index: usize) -> usize {
        self.table + index * SECTION_HEADER_SIZE
    }

    fn content(&self, index: usize) -> Result<&'a [u8], FormatError> {
        let header = self.header(index);
        let offset = le64(self.file, header + SECTION_OFFSET, "section offset")?;
        let size = le64(self.file, header + SECTION_SIZE, "section size")?;
        slice(self.file, offset, size, "section content")
    }

    fn is_named(&self, index: usize, name: &str) -> Result<bool, FormatError> {
        let header = self.header(index);
        let start = le32(self.file, header, "section name")? as usize;
        let rest = self
            .names
            .get(start..)
            .ok_or_else(|| FormatError::new("section name", header))?;
        Ok(rest
            .strip_prefix(name.as_bytes())
            .is_some_and(|tail| tail.first() == Some(&0)))
    }

    /// Content of the first section called `name`.
    ///
    /// # Errors
    ///
    /// There is none, it is empty, or the table is malformed.
    pub fn find(&self, name: &str) -> Result<&'a [u8], FormatError> {
        for index in 0..self.count {
            if self.is_named(index, name)? {
                let content = self.content(index)?;
                if content.is_empty() {
                    return Err(FormatError::new(name, self.header(index)));
                }
                return Ok(content);
            }
        }
        Err(FormatError::new(name, self.table))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An ELF file with the given sections and a name section behind them.
    pub(crate) fn build(sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut file = vec![0; 64];
        let mut names = vec![0];
        let mut headers = Vec::new();
        for (name, content) in sections {
            headers.push((names.len(), file.len(), content.len()));
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            file.extend_from_slice(content);
        }
        headers.push((0, file.len(), names.len()));
        file.extend_from_slice(&names);
        let table = file.len() as u64;
        for (name, offset, size) in &headers {
            let mut header = [0; SECTION_HEADER_SIZE];
            header[..4].copy_from_slice(&(*name as u32).to_le_bytes());
            header[SECTION_OFFSET..SECTION_OFFSET + 8]
                .copy_from_slice(&(*offset as u64).to_le_bytes());
            header[SECTION_SIZE..SECTION_SIZE + 8].copy_from_slice(&(*size as u64).to_le_bytes());
            file.extend_from_slice(&header);
        }
        file[..4].copy_from_slice(MAGIC);
        file[CLASS_OFFSET] = CLASS_64;
        file[DATA_OFFSET] = DATA_LITTLE_ENDIAN;
        file[SHOFF..SHOFF + 8].copy_from_slice(&table.to_le_bytes());
        file[SHENTSIZE..SHENTSIZE + 2].copy_from_slice(&(SECTION_HEADER_SIZE as u16).to_le_bytes());
        file[SHNUM..SHNUM + 2].copy_from_slice(&(headers.len() as u16).to_le_bytes());
        file[SHSTRNDX..SHSTRNDX + 2].copy_from_slice(&(headers.len() as u16 - 1).to_le_bytes());
        file
    }

    fn field_of(file: &[u8]) -> String {
        Sections::parse(file)
            .and_then(|s| s.find(".b").map(|_| ()))
            .unwrap_err()
            .field
    }

    #[test]
    fn sections_are_found_by_whole_name() {
        let file = build(&[(".bb", b"no"), (".b", b"yes"), (".b", b"later")]);
        let sections = Sections::parse(&file).unwrap();
        assert_eq!(sections.find(".b").unwrap(), b"yes");
        assert_eq!(sections.find(".c").unwrap_err().field, ".c");
    }

    #[test]
    fn every_bad_field_is_named() {
        let good = build(&[(".b", b"content")]);
        let table = le64(&good, SHOFF, "").unwrap();

        assert_eq!(field_of(&good[..3]), "ELF identification");
        let mut file = good.clone();
        file[CLASS_OFFSET] = 1;
        assert_eq!(field_of(&file), "ELF identification");
        let mut file = good.clone();
        file[SHENTSIZE] = 40;
        assert_eq!(field_of(&file), "section header size");
        let mut file = good.clone();
        file[SHOFF + 7] = 0xff;
        assert_eq!(field_of(&file), "section table");
        let mut file = good.clone();
        file[SHSTRNDX] = 9;
        assert_eq!(field_of(&file), "name section index");
        let mut file = good.clone();
        file[table + SECTION_SIZE + 6] = 1;
        assert_eq!(field_of(&file), "section content");
        let mut file = good.clone();
        file[table + 2] = 1;
        assert_eq!(field_of(&file), "section name");
        assert_eq!(field_of(&build(&[(".b", b"")])), ".b");
        assert_eq!(field_of(&good[..good.len() - 1]), "section table");
    }
}
