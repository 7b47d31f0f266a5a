//! What a simulated network offers to whoever sends into it: the seam between the lab, which plays the
//! Internet, and the packet path, which does not know the difference.

use super::MonoTime;

/// A network in virtual time. Time passes only in [`Underlay::advance`]; nothing here waits.
pub trait Underlay {
    /// Hands over one IP packet, first byte of the IP header first, as it leaves the vantage at `now`.
    /// Times of successive calls never go back.
    fn inject(&mut self, now: MonoTime, packet: &[u8]);

    /// Lets time pass until a packet reaches the vantage or `until` is reached, whichever is first.
    /// Returns the arrival, if there was one, with its time; the time never goes back.
    fn advance(&mut self, until: MonoTime) -> Option<(MonoTime, Vec<u8>)>;
}
