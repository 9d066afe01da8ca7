//! One concrete flow, yes or no and why: the executable specification.
