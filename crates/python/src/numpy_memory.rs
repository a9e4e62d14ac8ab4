//! Warm memory for NumPy's arrays in tasks: a data allocator as NEP 49 has them.
//!
//! Functions of chunks make temporary arrays by the megabyte, and each page that comes fresh from
//! the system costs a fault. While our threads run tasks, large arrays take their memory from the
//! runtime's pool. NumPy keeps with each array who made its memory, so that an array may outlive the
//! run and go on any thread. NumPy chooses its allocator by a context variable: other threads, and
//! tasks of a user who has set an allocator, see nothing of this one.

use std::ffi::{CStr, c_char, c_uint, c_void};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use samite::runtime::pool::{Block, PAGE, POOLED_FROM};

/// NumPy's `PyDataMemAllocator`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Allocator {
    context: *mut c_void,
    malloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    calloc: unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void,
    realloc: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void, *mut c_void, usize),
}

/// NumPy's `PyDataMem_Handler`.
#[repr(C)]
struct Handler {
    name: [c_char; 127],
    version: u8,
    allocator: Allocator,
}

const CAPSULE_NAME: &CStr = c"mem_handler";
const DEFAULT_NAME: &CStr = c"default_allocator";

/// Places in NumPy's table of functions.
const FEATURE_VERSION: usize = 211;
const SET_HANDLER: usize = 304;
const GET_HANDLER: usize = 305;
/// The version of the table that has them first, that of NumPy 1.22.
const FEATURE_SET_HANDLER: c_uint = 0xf;

/// NumPy's functions, and the handler that is given to it.
struct Interface {
    set: unsafe extern "C" fn(*mut ffi::PyObject) -> *mut ffi::PyObject,
    get: unsafe extern "C" fn() -> *mut ffi::PyObject,
    handler: Py<PyAny>,
}

static INTERFACE: PyOnceLock<Option<Interface>> = PyOnceLock::new();

/// Arranges that what runs in this context, and in copies of it, has warm memory, if NumPy is
/// loaded and its allocator is its own.
pub fn install_in(context: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = context.py();
    if INTERFACE.get(py).is_none() {
        let Some(module) = loaded(py)? else { return Ok(()) };
        INTERFACE.get_or_try_init(py, || Interface::new(&module))?;
    }
    if let Some(Some(_)) = INTERFACE.get(py) {
        context.call_method1("run", (pyo3::wrap_pyfunction!(use_warm_memory, py)?,))?;
    }
    Ok(())
}

/// NumPy's compiled core, once it is there.
fn loaded(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let modules = py.import("sys")?.getattr("modules")?;
    for name in ["numpy._core._multiarray_umath", "numpy.core._multiarray_umath"] {
        let module = modules.call_method1("get", (name,))?;
        if !module.is_none() && module.hasattr("_ARRAY_API")? {
            return Ok(Some(module));
        }
    }
    Ok(None)
}

/// Makes the pool the allocator of the current context; it runs inside of that.
#[pyfunction]
fn use_warm_memory(py: Python<'_>) -> PyResult<()> {
    let Some(Some(interface)) = INTERFACE.get(py) else { return Ok(()) };
    // SAFETY: the functions are NumPy's, which takes and gives references to capsules of handlers;
    // ours has static memory behind it.
    unsafe {
        let current = Bound::from_owned_ptr_or_err(py, (interface.get)())?;
        if default_handler(&current).is_some() {
            let former = (interface.set)(interface.handler.as_ptr());
            drop(Bound::from_owned_ptr_or_err(py, former)?);
        }
    }
    Ok(())
}

/// What is behind a capsule, if it is NumPy's own allocator.
fn default_handler<'capsule>(capsule: &'capsule Bound<'_, PyAny>) -> Option<&'capsule Handler> {
    // SAFETY: a capsule of this name holds a handler of NumPy's, whose name ends with a zero.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule.as_ptr(), CAPSULE_NAME.as_ptr()) == 0 {
            return None;
        }
        let handler = ffi::PyCapsule_GetPointer(capsule.as_ptr(), CAPSULE_NAME.as_ptr());
        let handler = handler.cast::<Handler>().as_ref()?;
        let is_default =
            handler.version == 1 && CStr::from_ptr(handler.name.as_ptr()) == DEFAULT_NAME;
        is_default.then_some(handler)
    }
}

impl Interface {
    /// `None` where NumPy is too old, or its allocator cannot be found.
    fn new(module: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = module.py();
        let table = module.getattr("_ARRAY_API")?;
        // SAFETY: the capsule holds NumPy's table of functions, whose places and types its ABI
        // fixes; those that are too new for an old table are not read.
        unsafe {
            let table = ffi::PyCapsule_GetPointer(table.as_ptr(), std::ptr::null());
            let Some(table) = NonNull::new(table.cast::<*const c_void>()) else {
                return Err(PyErr::fetch(py));
            };
            let at = |place: usize| *table.as_ptr().add(place);
            let version = std::mem::transmute::<*const c_void, unsafe extern "C" fn() -> c_uint>(
                at(FEATURE_VERSION),
            );
            if version() < FEATURE_SET_HANDLER {
                return Ok(None);
            }
            let set = std::mem::transmute::<
                *const c_void,
                unsafe extern "C" fn(*mut ffi::PyObject) -> *mut ffi::PyObject,
            >(at(SET_HANDLER));
            let get = std::mem::transmute::<
                *const c_void,
                unsafe extern "C" fn() -> *mut ffi::PyObject,
            >(at(GET_HANDLER));
            let current = Bound::from_owned_ptr_or_err(py, get())?;
            let Some(fallback) = default_handler(&current) else { return Ok(None) };
            let handler = Box::leak(Box::new(Handler::of_pool(fallback.allocator)));
            let capsule =
                ffi::PyCapsule_New(std::ptr::from_mut(handler).cast(), CAPSULE_NAME.as_ptr(), None);
            let handler = Bound::from_owned_ptr_or_err(py, capsule)?.unbind();
            Ok(Some(Self { set, get, handler }))
        }
    }
}

impl Handler {
    /// The pool, with NumPy's own allocator for what it does not take. Both are there for as long
    /// as the process.
    fn of_pool(fallback: Allocator) -> Self {
        let mut name = [0; 127];
        for (place, byte) in name.iter_mut().zip(c"samite".to_bytes()) {
            *place = *byte as c_char;
        }
        let context = std::ptr::from_mut(Box::leak(Box::new(fallback))).cast();
        let allocator = Allocator { context, malloc, calloc, realloc, free };
        Self { name, version: 1, allocator }
    }
}

/// NumPy's own allocator.
///
/// # Safety
/// `context` is that of [`Handler::of_pool`].
unsafe fn fallback<'handler>(context: *mut c_void) -> &'handler Allocator {
    // SAFETY: `of_pool` leaked it.
    unsafe { &*context.cast::<Allocator>() }
}

unsafe extern "C" fn malloc(context: *mut c_void, size: usize) -> *mut c_void {
    if size >= POOLED_FROM
        && let Some((start, _zeroed)) = take(size)
    {
        return start;
    }
    // SAFETY: as NumPy called this one.
    let own = unsafe { fallback(context) };
    // SAFETY: as above.
    unsafe { (own.malloc)(own.context, size) }
}

unsafe extern "C" fn calloc(context: *mut c_void, count: usize, size: usize) -> *mut c_void {
    if let Some(bytes) = count.checked_mul(size).filter(|bytes| *bytes >= POOLED_FROM)
        && let Some((start, zeroed)) = take(bytes)
    {
        if !zeroed {
            // SAFETY: the block has room for so many bytes.
            unsafe { start.cast::<u8>().write_bytes(0, bytes) };
        }
        return start;
    }
    // SAFETY: as NumPy called this one.
    let own = unsafe { fallback(context) };
    // SAFETY: as above.
    unsafe { (own.calloc)(own.context, count, size) }
}

unsafe extern "C" fn realloc(context: *mut c_void, old: *mut c_void, size: usize) -> *mut c_void {
    let Some(capacity) = capacity_of(old) else {
        // SAFETY: the memory is from NumPy's allocator, which this call is handed on to.
        let own = unsafe { fallback(context) };
        // SAFETY: as above.
        return unsafe { (own.realloc)(own.context, old, size) };
    };
    if size <= capacity && size >= capacity / 2 {
        return old;
    }
    // SAFETY: the context is the one that NumPy gave.
    let new = unsafe { malloc(context, size) };
    if !new.is_null() {
        // SAFETY: both have room for so many bytes and are not the same; then nobody uses the old
        // one any more, as NumPy has given it up by this call.
        unsafe {
            new.cast::<u8>().copy_from_nonoverlapping(old.cast::<u8>(), size.min(capacity));
            free(context, old, capacity);
        }
    }
    new
}

unsafe extern "C" fn free(context: *mut c_void, start: *mut c_void, size: usize) {
    if let (Some(capacity), Some(pooled)) = (forget(start), NonNull::new(start.cast::<u8>())) {
        // SAFETY: `take` registered the block, `forget` was the only one to find it there, and NumPy
        // uses it no more.
        drop(unsafe { Block::from_raw(pooled, capacity) });
        return;
    }
    // SAFETY: the memory is from NumPy's allocator, which this call is handed on to.
    let own = unsafe { fallback(context) };
    // SAFETY: as above.
    unsafe { (own.free)(own.context, start, size) };
}

/// A block of the pool, which is then known as one, and whether it is zero. `None` where there is
/// no memory, or no place to remember it.
fn take(size: usize) -> Option<(*mut c_void, bool)> {
    let block = Block::take(size)?;
    let zeroed = block.is_zeroed();
    let start = block.start().as_ptr() as usize;
    for slot in bucket(start) {
        if slot.start.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            let (start, capacity) = block.into_raw();
            slot.capacity.store(capacity, Ordering::Relaxed);
            slot.start.store(start.as_ptr() as usize, Ordering::Release);
            return Some((start.as_ptr().cast(), zeroed));
        }
    }
    None
}

/// One block that NumPy has. What it tells NumPy of sizes when memory is freed cannot be relied
/// upon, so the capacity is kept here.
struct Slot {
    start: AtomicUsize,
    capacity: AtomicUsize,
}

const FREE: usize = 0;
/// Being written; no address of a block.
const TAKEN: usize = 1;

/// A table of sets: an address is in one of the few slots that it can be in, or nowhere. It has no
/// lock, for a forked child has to find the blocks of its parent in it, whatever other threads did
/// when it was forked.
static TABLE: [[Slot; WAYS]; SETS] = [const {
    [const { Slot { start: AtomicUsize::new(FREE), capacity: AtomicUsize::new(0) } }; WAYS]
}; SETS];

const WAYS: usize = 8;
const SETS: usize = 1 << 12;

fn bucket(start: usize) -> &'static [Slot; WAYS] {
    // The upper bits of the product depend on all bits of the page's number.
    let mixed = ((start / PAGE) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    &TABLE[(mixed >> 52) as usize % SETS]
}

fn slot_of(start: *mut c_void) -> Option<&'static Slot> {
    let start = start as usize;
    // Blocks begin at a page, which hardly any other memory does.
    if start == 0 || !start.is_multiple_of(PAGE) {
        return None;
    }
    bucket(start).iter().find(|slot| slot.start.load(Ordering::Acquire) == start)
}

fn capacity_of(start: *mut c_void) -> Option<usize> {
    slot_of(start).map(|slot| slot.capacity.load(Ordering::Relaxed))
}

/// Strikes a block off the table; its capacity, if it was there.
fn forget(start: *mut c_void) -> Option<usize> {
    let slot = slot_of(start)?;
    let capacity = slot.capacity.load(Ordering::Relaxed);
    slot.start.store(FREE, Ordering::Release);
    Some(capacity)
}

/// How many bytes of memory are kept for later use, for tests and reports.
#[pyfunction]
pub fn kept_memory() -> usize {
    samite::runtime::pool::kept_bytes()
}

/// Gives memory that is kept for later use back to the system, until no more than so many bytes are
/// kept.
#[pyfunction]
#[pyo3(signature = (bytes=0))]
pub fn trim_memory(bytes: usize) {
    samite::runtime::pool::trim(bytes);
}
