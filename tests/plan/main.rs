//! Pure scenarios: what is desired, what is live, and the plan that follows. No AWS, no clock, no async.

mod doctor;
mod every_setting;
mod fixture;
mod half_made;
mod order;
mod ownership;
mod whole_plans;
