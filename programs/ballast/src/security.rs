//! The program's security.txt, in the file on chain: how to report a weakness.

use solana_security_txt::security_txt;

security_txt! {
    name: "Ballast",
    project_url: "see README.md in the source repository",
    contacts: "other:see SECURITY.md in the source repository",
    policy: "see SECURITY.md in the source repository",
    preferred_languages: "en"
}
