//! From one YAML file to a working EKK logging stack on AWS.
