//! The AWS that `ekk --local` and the tests talk to.
