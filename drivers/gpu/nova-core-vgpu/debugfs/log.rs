// SPDX-License-Identifier: GPL-2.0

//! The log buffers of GSP, as they are in memory.
//!
//! ```text
//!   loginit  logintr  logrm     64 KiB each; need a decoder with the strings of the firmware
//! ```

use kernel::{
    debugfs::BinaryWriter,
    fs::file,
    prelude::*,
    sync::Arc,
    uaccess::UserSliceWriter, //
};

use crate::{
    gsp::logs::Logs,
    vgpu::Handle, //
};

/// One of the buffers.
pub(super) struct Log {
    handle: Arc<Handle>,
    index: usize,
}

impl Log {
    /// All of them, in the order of [`Logs::NAMES`].
    pub(super) fn all(handle: &Arc<Handle>) -> [Self; Logs::NAMES.len()] {
        core::array::from_fn(|index| Self {
            handle: handle.clone(),
            index,
        })
    }

    /// Name of the file.
    pub(super) fn name(&self) -> &'static CStr {
        Logs::NAMES[self.index]
    }
}

impl BinaryWriter for Log {
    fn write_to_slice(
        &self,
        writer: &mut UserSliceWriter,
        offset: &mut file::Offset,
    ) -> Result<usize> {
        let at = usize::try_from(*offset)?;
        let written = self.handle.gpu().look(|core| {
            let buffer = core.gsp().logs().buffers()[self.index];
            let count = buffer.size().saturating_sub(at).min(writer.len());
            writer.write_dma(buffer, at, count)?;
            Ok(count)
        })?;
        *offset += file::Offset::try_from(written)?;
        Ok(written)
    }
}
