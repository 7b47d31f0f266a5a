//! Tables for the path that every packet takes.

use std::collections::HashMap;

/// A hash table whose keys are of our own making, or few: finding one costs a fraction of what it does in a
/// table that holds out against keys which somebody chose so that they collide.
pub type Keyed<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
