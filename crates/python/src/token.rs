//! Keys of lazy calls.
//!
//! An impure call is named by a number that no other call in any process has. A pure call is
//! named by its parts: where they are small immutable values and other lazy calls the token is
//! XXH3-128 over an unambiguous encoding of them; anything else is `samite.tokenize`'s business.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyCFunction, PyDict, PyFloat, PyInt, PyModule, PyString, PyTuple,
};
use twox_hash::XxHash3_128;

use crate::helpers;
use crate::node::{Kind, Node};

/// The key of a node that has none yet. Dependencies are named first, and not by recursion:
/// a chain of pure calls may be very long.
pub fn key_of<'py>(py: Python<'py>, node: &Node) -> PyResult<Bound<'py, PyAny>> {
    if node.pure {
        let mut unnamed: Vec<(Bound<'py, Node>, bool)> = Vec::new();
        node.each_unnamed(py, &mut |needed| unnamed.push((needed.clone(), false)));
        while let Some((needed, ready)) = unnamed.pop() {
            if needed.get().known_key(py).is_some() {
                continue;
            }
            if ready || !needed.get().pure {
                needed.get().key(py)?;
                continue;
            }
            unnamed.push((needed.clone(), true));
            needed.get().each_unnamed(py, &mut |deeper| unnamed.push((deeper.clone(), false)));
        }
    }
    let token = if node.pure { pure_token(py, node)? } else { unique_token() };
    let prefix = node.prefix(py)?;
    Ok(PyString::new(py, &format!("{}-{token}", prefix.to_cow()?)).into_any())
}

/// Whether the token can wait: no part can change under the node.
pub fn is_lazy(py: Python<'_>, node: &Node) -> bool {
    let (args, kwargs) = match &node.kind {
        Kind::Call { func, args, kwargs } => {
            if stable_function_name(func.bind(py)).is_none() {
                return false;
            }
            (args, kwargs)
        }
        Kind::Method { args, kwargs, .. } => (args, kwargs),
        Kind::Attribute { .. } => return true,
        _ => return false,
    };
    let simple = |item: &Bound<'_, PyAny>| {
        let mut scratch = Vec::new();
        item.is_instance_of::<Node>() || encode_simple(item, &mut scratch)
    };
    args.bind(py).iter_borrowed().all(|item| simple(&item))
        && kwargs
            .as_ref()
            .is_none_or(|kwargs| kwargs.bind(py).iter().all(|(_, item)| simple(&item)))
}

fn unique_token() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    static SEED: AtomicU64 = AtomicU64::new(0);
    let mut seed = SEED.load(Ordering::Relaxed);
    if seed == 0 {
        // The address of a stack variable and the clock differ between processes; the process
        // number, mixed in below, differs between a process and its forks.
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64);
        let here = std::ptr::from_ref(&clock) as u64;
        seed = (clock ^ here.rotate_left(32)) | 1;
        seed = match SEED.compare_exchange(0, seed, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => seed,
            Err(other) => other,
        };
    }
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0u8; 24];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&u64::from(std::process::id()).to_le_bytes());
    bytes[16..].copy_from_slice(&count.to_le_bytes());
    format!("{:032x}", XxHash3_128::oneshot(&bytes))
}

fn pure_token(py: Python<'_>, node: &Node) -> PyResult<String> {
    if let Some(token) = native_token(py, node)? {
        return Ok(token);
    }
    let parts = match &node.kind {
        Kind::Call { func, args, kwargs } => ("call", func, args, kwargs).into_pyobject(py)?,
        Kind::Method { name, args, kwargs } => ("method", name, args, kwargs).into_pyobject(py)?,
        Kind::Attribute { name, args } => ("getattr", name, args).into_pyobject(py)?,
        Kind::Leaf { value, .. } => ("leaf", value).into_pyobject(py)?,
        Kind::Literal { args, .. } => ("literal", args).into_pyobject(py)?,
        Kind::Collection { collection } => ("finalize", collection).into_pyobject(py)?,
        Kind::Graph { layer, .. } => ("graph", layer).into_pyobject(py)?,
    };
    helpers::tokenize(py)?.call1(parts)?.extract()
}

fn native_token(py: Python<'_>, node: &Node) -> PyResult<Option<String>> {
    let mut bytes = Vec::with_capacity(128);
    let (args, kwargs) = match &node.kind {
        Kind::Call { func, args, kwargs } => {
            let Some(name) = stable_function_name(func.bind(py)) else { return Ok(None) };
            bytes.push(b'C');
            encode_bytes(name.as_bytes(), &mut bytes);
            (args, kwargs)
        }
        Kind::Method { name, args, kwargs } => {
            bytes.push(b'M');
            encode_bytes(name.bind(py).to_cow()?.as_bytes(), &mut bytes);
            (args, kwargs)
        }
        Kind::Attribute { name, args } => {
            bytes.push(b'A');
            encode_bytes(name.bind(py).to_cow()?.as_bytes(), &mut bytes);
            (args, &None)
        }
        _ => return Ok(None),
    };
    if !encode_args(args.bind(py), &mut bytes)? {
        return Ok(None);
    }
    if let Some(kwargs) = kwargs
        && !encode_kwargs(kwargs.bind(py), &mut bytes)?
    {
        return Ok(None);
    }
    Ok(Some(format!("{:032x}", XxHash3_128::oneshot(&bytes))))
}

fn encode_args(args: &Bound<'_, PyTuple>, bytes: &mut Vec<u8>) -> PyResult<bool> {
    for item in args.iter_borrowed() {
        if !encode(&item, bytes)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn encode_kwargs(kwargs: &Bound<'_, PyDict>, bytes: &mut Vec<u8>) -> PyResult<bool> {
    for (name, item) in kwargs.iter() {
        bytes.push(b'k');
        if !encode(&name, bytes)? || !encode(&item, bytes)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn encode(item: &Bound<'_, PyAny>, bytes: &mut Vec<u8>) -> PyResult<bool> {
    if let Ok(node) = item.cast::<Node>() {
        let key = node.get().key(item.py())?;
        let Ok(key) = key.cast_exact::<PyString>() else { return Ok(false) };
        bytes.push(b'N');
        encode_bytes(key.to_cow()?.as_bytes(), bytes);
        return Ok(true);
    }
    Ok(encode_simple(item, bytes))
}

/// Encodes a small immutable value; `false` where it is not one.
fn encode_simple(item: &Bound<'_, PyAny>, bytes: &mut Vec<u8>) -> bool {
    if item.is_none() {
        bytes.push(b'0');
    } else if let Ok(flag) = item.cast_exact::<PyBool>() {
        bytes.push(if flag.is_true() { b'T' } else { b'F' });
    } else if let Ok(number) = item.cast_exact::<PyInt>() {
        let Ok(number) = number.extract::<i64>() else { return false };
        bytes.push(b'i');
        bytes.extend(number.to_le_bytes());
    } else if let Ok(number) = item.cast_exact::<PyFloat>() {
        bytes.push(b'f');
        bytes.extend(number.value().to_bits().to_le_bytes());
    } else if let Ok(text) = item.cast_exact::<PyString>() {
        let Ok(text) = text.to_cow() else { return false };
        bytes.push(b's');
        encode_bytes(text.as_bytes(), bytes);
    } else if let Ok(raw) = item.cast_exact::<PyBytes>() {
        bytes.push(b'b');
        encode_bytes(raw.as_bytes(), bytes);
    } else {
        return false;
    }
    true
}

fn encode_bytes(content: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend((content.len() as u64).to_le_bytes());
    bytes.extend(content);
}

/// The full name of a function of a built-in module, whose meaning cannot change.
fn stable_function_name(func: &Bound<'_, PyAny>) -> Option<String> {
    let function = func.cast_exact::<PyCFunction>().ok()?;
    let owner = function.getattr(intern!(func.py(), "__self__")).ok()?;
    let module = owner.cast_into::<PyModule>().ok()?;
    let name = function.getattr(intern!(func.py(), "__qualname__")).ok()?;
    Some(format!("{}.{}", module.name().ok()?, name.extract::<String>().ok()?))
}
