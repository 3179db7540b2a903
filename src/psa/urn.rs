//! The URNs of the schemas that are rosterd's own.

/// The PSA extension of User.
pub const USER: &str = "urn:rosterd:scim:schemas:extension:psa:1.0:User";
/// The segment of a person's record that no schema describes: locks, writers, what the schedule needs.
pub const STANDING: &str = "urn:rosterd:standing";
/// The core schema of UserType.
pub const USER_TYPE: &str = "urn:rosterd:scim:schemas:core:1.0:UserType";
/// The core schema of CostCenter.
pub const COST_CENTER: &str = "urn:rosterd:scim:schemas:core:1.0:CostCenter";
/// The core schema of EmploymentTemplate.
pub const EMPLOYMENT_TEMPLATE: &str = "urn:rosterd:scim:schemas:core:1.0:EmploymentTemplate";
/// The core schema of Company.
pub const COMPANY: &str = "urn:rosterd:scim:schemas:core:1.0:Company";
/// The core schema of Client.
pub const CLIENT: &str = "urn:rosterd:scim:schemas:core:1.0:Client";
/// The core schema of LicensePool.
pub const LICENSE_POOL: &str = "urn:rosterd:scim:schemas:core:1.0:LicensePool";
