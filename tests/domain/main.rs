//! The domain against servers that answer as OpenSearch Service is documented to, and as others are known to.

mod scripted;

mod edges;
