//! Bags through their public interface.

mod bags;
mod blocks;
mod records;
