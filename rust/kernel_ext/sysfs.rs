// SPDX-License-Identifier: GPL-2.0

//! Attribute groups of a driver's devices.
//!
//! The tables that the driver core wants in `dev_groups` are built at compile time from types, one
//! type per file, and stay in read-only memory:
//!
//! ```text
//!   attribute_groups! { const GROUPS = { c"nvidia": [CreatableTypes, CurrentType] }; }
//!
//!   Groups -> [*group, null]
//!                |
//!                +-> name "nvidia", attrs -> [*attr, *attr, null]
//!                                               |
//!                                               +-> CreatableTypes: name, mode, show/store
//! ```
//!
//! The driver core creates the files after a successful probe and removes them, waiting for callers
//! inside, before the driver is unbound. A callback therefore always finds the driver's data, which
//! it gets through a [`Source`].
//!
//! C header: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)

use core::marker::PhantomData;
use kernel::{
    bindings,
    device::{
        self,
        Bound,
        BoundInternal, //
    },
    error::from_result,
    page::PAGE_SIZE,
    prelude::*,
    str::{
        as_char_ptr_in_const_context,
        parse_int::ParseInt,
        BStr,
        Formatter, //
    }, //
};

use crate::pci::{
    self,
    as_raw, //
};

/// Where the callbacks of an attribute find the data of the driver.
pub trait Source: 'static {
    /// What a callback gets.
    type Data<'a>;

    /// Gets the data of the driver that is bound to `dev`.
    ///
    /// # Safety
    ///
    /// `dev` must be bound to the driver whose source this is, its probe must have succeeded, and it
    /// must stay bound for `'a`.
    unsafe fn get<'a>(dev: &'a device::Device<BoundInternal>) -> Result<Self::Data<'a>>;
}

/// [`Source`] of the devices of a [`pci::Driver`]: the device and the driver's data.
pub struct PciData<T: pci::Driver>(PhantomData<T>);

impl<T: pci::Driver> Source for PciData<T> {
    type Data<'a> = (&'a kernel::pci::Device<Bound>, Pin<&'a T::Data<'a>>);

    unsafe fn get<'a>(dev: &'a device::Device<BoundInternal>) -> Result<Self::Data<'a>> {
        let bound: &'a device::Device<Bound> = dev;
        let pdev = bound.try_into()?;

        // SAFETY: By the requirements of this function, the probe of `T` succeeded and stored a
        // `T::Data`, which stays for `'a`.
        Ok((pdev, unsafe { dev.drvdata_borrow::<T::Data<'a>>() }))
    }
}

/// One file.
#[vtable]
pub trait Attribute: 'static {
    /// Where the callbacks get the data of the driver.
    type Source: Source;

    /// Name of the file.
    const NAME: &'static CStr;

    /// Permissions, such as `0o444` or `0o644`.
    const MODE: u16;

    /// Writes the contents of the file, with the newline at the end, to `out`.
    ///
    /// `out` holds a page; `write!` fails when there is more, and the reader gets `E2BIG`.
    fn show<'a>(data: <Self::Source as Source>::Data<'a>, out: &mut Formatter<'_>) -> Result {
        let _ = (data, out);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Takes what a single `write()` wrote; all of it counts as consumed.
    fn store<'a>(data: <Self::Source as Source>::Data<'a>, buf: &[u8]) -> Result {
        let _ = (data, buf);
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// Message behind a callback that is called without being implemented, which cannot happen.
const VTABLE_DEFAULT_ERROR: &str = kernel::error::VTABLE_DEFAULT_ERROR;

/// Strips the newline that `echo` appends.
pub fn trim(buf: &[u8]) -> &[u8] {
    buf.strip_suffix(b"\n").unwrap_or(buf)
}

/// Parses the number that a single `write()` wrote, with or without a newline.
///
/// Understands what `kstrtoint()` understands: decimal, `0x` and `0` prefixes.
///
/// # Errors
///
/// `EINVAL` when it is not a number or does not fit into `T`.
pub fn parse<T: ParseInt>(buf: &[u8]) -> Result<T> {
    T::from_str(BStr::from_bytes(trim(buf))).map_err(|_| EINVAL)
}

/// Wakes those who poll the file `attribute` in `directory` of a device.
#[inline(never)]
pub fn notify(pdev: &kernel::pci::Device<Bound>, directory: &CStr, attribute: &CStr) {
    // SAFETY: The object belongs to a bound device, and the strings are C strings. It does nothing
    // if there is no such file.
    unsafe {
        bindings::sysfs_notify(
            &raw mut (*as_raw(pdev)).dev.kobj,
            directory.as_char_ptr(),
            attribute.as_char_ptr(),
        )
    };
}

/// Tells user space that a device has changed, with variables of the form `NAME=value`.
///
/// Sleeps. An event that cannot be sent is lost, as those of the kernel itself are.
#[inline(never)]
pub fn uevent_change(pdev: &kernel::pci::Device<Bound>, variables: [&CStr; 2]) {
    let [first, second] = variables.map(|v| v.as_char_ptr().cast_mut());
    let mut environment = [first, second, core::ptr::null_mut()];

    // SAFETY: The object belongs to a bound device. The table ends with a null pointer; neither it
    // nor the strings are written to.
    unsafe {
        bindings::kobject_uevent_env(
            &raw mut (*as_raw(pdev)).dev.kobj,
            bindings::kobject_action_KOBJ_CHANGE,
            environment.as_mut_ptr(),
        )
    };
}

/// Null-terminated table of attribute groups, for `DEV_GROUPS` of a driver.
///
/// Made by [`attribute_groups!`](crate::attribute_groups).
#[derive(Clone, Copy)]
pub struct Groups(*const *const bindings::attribute_group);

// SAFETY: Points to tables that are never written.
unsafe impl Send for Groups {}

// SAFETY: Points to tables that are never written.
unsafe impl Sync for Groups {}

impl Groups {
    /// The pointer for `struct device_driver::dev_groups`.
    pub fn as_ptr(self) -> *mut *const bindings::attribute_group {
        self.0.cast_mut()
    }
}

/// Storage of a null-terminated table; an implementation detail of `attribute_groups!`.
#[doc(hidden)]
#[repr(transparent)]
pub struct Table<T, const N: usize>([*const T; N]);

// SAFETY: Points to tables that are never written.
unsafe impl<T, const N: usize> Sync for Table<T, N> {}

#[doc(hidden)]
impl<T, const N: usize> Table<T, N> {
    pub const fn new(entries: [*const T; N]) -> Self {
        Self(entries)
    }
}

#[doc(hidden)]
impl<const N: usize> Table<bindings::attribute_group, N> {
    pub const fn groups(&'static self) -> Groups {
        Groups((&raw const self.0).cast())
    }
}

/// Storage of one group; an implementation detail of `attribute_groups!`.
#[doc(hidden)]
#[repr(transparent)]
pub struct Group(bindings::attribute_group);

// SAFETY: Points to tables that are never written.
unsafe impl Sync for Group {}

#[doc(hidden)]
impl Group {
    pub const fn new<const N: usize>(
        name: &'static CStr,
        attrs: &'static Table<bindings::attribute, N>,
    ) -> Self {
        let mut group: bindings::attribute_group = pin_init::zeroed();

        if !name.is_empty() {
            group.name = as_char_ptr_in_const_context(name);
        }
        group.__bindgen_anon_2.attrs_const = (&raw const attrs.0).cast();
        Self(group)
    }

    pub const fn as_ptr(&'static self) -> *const bindings::attribute_group {
        &raw const self.0
    }
}

/// C's view of an [`Attribute`].
struct File<A: Attribute>(PhantomData<A>);

impl<A: Attribute> File<A> {
    const DEVICE_ATTRIBUTE: bindings::device_attribute = {
        let mut file: bindings::device_attribute = pin_init::zeroed();

        file.attr.name = as_char_ptr_in_const_context(A::NAME);
        file.attr.mode = A::MODE;
        if A::HAS_SHOW {
            file.__bindgen_anon_1.show_const = Some(Self::show);
        }
        if A::HAS_STORE {
            file.__bindgen_anon_2.store_const = Some(Self::store);
        }
        file
    };

    /// # Safety
    ///
    /// To be called by sysfs, for a file of the driver's `dev_groups`, with a page to write to.
    unsafe extern "C" fn show(
        dev: *mut bindings::device,
        _attr: *const bindings::device_attribute,
        buf: *mut c_char,
    ) -> isize {
        // SAFETY: sysfs passes a live device; files of `dev_groups` exist only while it is bound to
        // the driver they belong to, and removing them waits for this call.
        let dev = unsafe { device::Device::<BoundInternal>::from_raw(dev) };

        // SAFETY: sysfs passes a zeroed page of its own.
        let page = unsafe { core::slice::from_raw_parts_mut(buf.cast::<u8>(), PAGE_SIZE) };

        from_result(|| {
            // SAFETY: As above.
            let data = unsafe { A::Source::get(dev) }?;
            let mut out = Formatter::new(page);

            let shown = A::show(data, &mut out);
            if out.bytes_written() > PAGE_SIZE {
                return Err(E2BIG);
            }
            shown?;
            // CAST: At most a page.
            Ok(out.bytes_written() as isize)
        })
    }

    /// # Safety
    ///
    /// To be called by sysfs, for a file of the driver's `dev_groups`, with `count` bytes to read.
    unsafe extern "C" fn store(
        dev: *mut bindings::device,
        _attr: *const bindings::device_attribute,
        buf: *const c_char,
        count: usize,
    ) -> isize {
        // SAFETY: As in `show`.
        let dev = unsafe { device::Device::<BoundInternal>::from_raw(dev) };

        // SAFETY: sysfs passes a buffer of `count` bytes, at most a page.
        let buf = unsafe { core::slice::from_raw_parts(buf.cast::<u8>(), count) };

        from_result(|| {
            // SAFETY: As in `show`.
            let data = unsafe { A::Source::get(dev) }?;

            A::store(data, buf)?;
            // CAST: At most a page.
            Ok(count as isize)
        })
    }
}

/// C's view of an attribute; an implementation detail of `attribute_groups!`.
#[doc(hidden)]
pub const fn attribute<A: Attribute>() -> *const bindings::attribute {
    let file: &'static bindings::device_attribute = &File::<A>::DEVICE_ATTRIBUTE;

    &raw const file.attr
}

/// Declares the attribute groups of a driver.
///
/// Each group is a directory below the device, or the device's own directory with the name `c""`.
///
/// # Examples
///
/// ```ignore
/// kernel_ext::attribute_groups! {
///     pub(crate) const GROUPS = {
///         c"nvidia": [CreatableTypes, CurrentType],
///     };
/// }
/// ```
#[macro_export]
macro_rules! attribute_groups {
    ($vis:vis const $name:ident = { $($group:literal : [$($attr:ty),* $(,)?]),* $(,)? };) => {
        $vis const $name: $crate::sysfs::Groups = {
            static GROUPS: $crate::sysfs::Table<
                ::kernel::bindings::attribute_group,
                { <[&::core::ffi::CStr]>::len(&[$($group),*]) + 1 },
            > = $crate::sysfs::Table::new([
                $({
                    static ATTRS: $crate::sysfs::Table<
                        ::kernel::bindings::attribute,
                        { <[&str]>::len(&[$(::core::stringify!($attr)),*]) + 1 },
                    > = $crate::sysfs::Table::new([
                        $($crate::sysfs::attribute::<$attr>(),)*
                        ::core::ptr::null(),
                    ]);
                    static GROUP: $crate::sysfs::Group =
                        $crate::sysfs::Group::new($group, &ATTRS);

                    GROUP.as_ptr()
                },)*
                ::core::ptr::null(),
            ]);

            GROUPS.groups()
        };
    };
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_vgpu_sysfs)]
mod tests {
    use super::*;

    /// Stands for the module that `#[vtable]` wants to know about; library crates have none.
    struct NoModule;

    impl kernel::ModuleMetadata for NoModule {
        const NAME: &'static CStr = c"none";
        // SAFETY: Nothing here uses the pointer.
        const THIS_MODULE: ThisModule = unsafe { ThisModule::from_ptr(core::ptr::null_mut()) };
    }

    struct NoData;

    impl Source for NoData {
        type Data<'a> = ();

        unsafe fn get<'a>(_dev: &'a device::Device<BoundInternal>) -> Result<()> {
            Ok(())
        }
    }

    struct ReadOnly;

    #[vtable]
    impl Attribute for ReadOnly {
        type OwnerModule = NoModule;
        type Source = NoData;
        const NAME: &'static CStr = c"read_only";
        const MODE: u16 = 0o444;

        fn show<'a>(_data: (), _out: &mut Formatter<'_>) -> Result {
            Ok(())
        }
    }

    struct WriteOnly;

    #[vtable]
    impl Attribute for WriteOnly {
        type OwnerModule = NoModule;
        type Source = NoData;
        const NAME: &'static CStr = c"write_only";
        const MODE: u16 = 0o200;

        fn store<'a>(_data: (), _buf: &[u8]) -> Result {
            Ok(())
        }
    }

    attribute_groups! {
        const GROUPS = {
            c"dir": [ReadOnly, WriteOnly],
            c"": [ReadOnly],
        };
    }

    /// Reads a null-terminated table, as C does.
    fn entries<T>(table: *const *const T) -> usize {
        let mut n = 0;

        // SAFETY: All tables here end with a null pointer.
        while !unsafe { table.add(n).read() }.is_null() {
            n += 1;
        }
        n
    }

    #[test]
    fn tables_are_what_the_driver_core_reads() {
        let groups = GROUPS.as_ptr().cast_const();
        assert_eq!(entries(groups), 2);

        // SAFETY: The table has two entries.
        let (dir, top) = unsafe { (&**groups, &**groups.add(1)) };
        // SAFETY: The first group has a name, which is a C string.
        assert!(unsafe { CStr::from_char_ptr(dir.name) } == c"dir");
        assert!(top.name.is_null());

        // SAFETY: All members of the union are the same pointer.
        let (dir, top) = unsafe {
            (
                dir.__bindgen_anon_2.attrs_const,
                top.__bindgen_anon_2.attrs_const,
            )
        };
        assert_eq!(entries(dir), 2);
        assert_eq!(entries(top), 1);

        // SAFETY: The table has two entries, embedded in a `device_attribute` each.
        let (ro, wo) = unsafe {
            (
                &*(*dir).cast::<bindings::device_attribute>(),
                &*(*dir.add(1)).cast::<bindings::device_attribute>(),
            )
        };
        assert_eq!(ro.attr.mode, 0o444);
        assert_eq!(wo.attr.mode, 0o200);
        // SAFETY: All members of the unions are function pointers.
        unsafe {
            assert!(ro.__bindgen_anon_1.show_const.is_some());
            assert!(ro.__bindgen_anon_2.store_const.is_none());
            assert!(wo.__bindgen_anon_1.show_const.is_none());
            assert!(wo.__bindgen_anon_2.store_const.is_some());
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(parse::<u32>(b"941\n"), Ok(941));
        assert_eq!(parse::<u32>(b"0x10"), Ok(16));
        assert_eq!(parse::<u32>(b""), Err(EINVAL));
        assert_eq!(parse::<u32>(b"\n"), Err(EINVAL));
        assert_eq!(parse::<u32>(b"12 "), Err(EINVAL));
        assert_eq!(parse::<u32>(b"-1"), Err(EINVAL));
        assert_eq!(parse::<u32>(b"4294967296"), Err(EINVAL));
        assert_eq!(trim(b"a\n\n"), b"a\n");
    }
}
