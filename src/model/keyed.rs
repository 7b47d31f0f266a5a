//! Tables for the path that every packet takes, and for analyses that ask one for every hop.

use std::collections::HashMap;

/// A hash table whose keys are of our own making, or few, or of which it may take longer to find one where somebody has
/// taken great pains: it costs a fraction of what it does in a table that holds out against keys which were chosen so that
/// they collide. Each table has a seed of its own.
pub type Keyed<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
