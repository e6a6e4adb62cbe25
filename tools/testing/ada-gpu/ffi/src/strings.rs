// SPDX-License-Identifier: GPL-2.0

//! Strings across the C boundary.
//!
//! ```text
//!   in   const char *   borrowed for the call, must be UTF-8
//!   out  char *         allocated here, given back to ada_gpu_string_free()
//! ```

use std::ffi::{c_char, CStr, CString};
use std::ptr;

/// Gives `text` to C; a NUL inside ends it early.
pub(crate) fn give(text: &str) -> *mut c_char {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).map_or(ptr::null_mut(), CString::into_raw)
}

/// Borrows a C string; `None` if it is null or not UTF-8.
///
/// # Safety
///
/// `text` must be null or a NUL-terminated string that outlives `'a`.
pub(crate) unsafe fn borrow<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and NUL-terminated and alive by the caller's contract.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// Frees a string returned by this crate; null is allowed.
///
/// # Safety
///
/// `s` must be null or a string returned by a function of this crate that was
/// not freed before.
#[no_mangle]
pub unsafe extern "C" fn ada_gpu_string_free(s: *mut c_char) {
    if !s.is_null() {
        // SAFETY: by contract `s` came from `CString::into_raw` and is given
        // back once.
        drop(unsafe { CString::from_raw(s) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_embedded_nul() {
        for (text, expected) in [("", ""), ("vram=48G", "vram=48G"), ("a\0b", "a")] {
            let c = give(text);
            // SAFETY: `c` was just returned by give().
            assert_eq!(unsafe { borrow(c) }, Some(expected));
            // SAFETY: as above, freed once.
            unsafe { ada_gpu_string_free(c) };
        }
    }

    #[test]
    fn refuses_null_and_non_utf8() {
        // SAFETY: null is allowed; the literal is NUL-terminated and static.
        unsafe {
            assert_eq!(borrow(ptr::null()), None);
            assert_eq!(borrow(c"\xff".as_ptr()), None);
        }
    }
}
