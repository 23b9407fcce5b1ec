//! A user of the private registry who is a story's own, so that a story can
//! revoke a password which no other needs.

use serde_json::json;

use crate::loan::report;
use crate::world::World;

/// Somebody who may pull and push everything, until this is dropped.
#[derive(Debug)]
pub struct Guest {
    world: World,
    name: String,
}

impl Guest {
    /// Adds a user of that name.
    pub fn new(world: &World, name: &str, password: &str) -> Self {
        let guest = Self {
            world: world.clone(),
            name: name.to_owned(),
        };
        guest.set_password(password);
        guest
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Another password, which is good from now on; the one before is not.
    pub fn set_password(&self, password: &str) {
        match &self.world {
            World::Lab(lab) => lab.change_users(|users| {
                users[&self.name] = json!({"password": password, "pull": ["*"], "push": ["*"]});
            }),
            World::Sim(sim) => sim.set_user(&self.name, password),
        }
    }

    /// The password is good no more.
    pub fn revoke(&self) {
        match &self.world {
            World::Lab(lab) => lab.change_users(|users| {
                users[&self.name]["revoked"] = true.into();
            }),
            World::Sim(sim) => sim.revoke(&self.name),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        match &self.world {
            World::Lab(lab) => {
                let gone = lab.try_change_users(|users| {
                    if let Some(users) = users.as_object_mut() {
                        users.remove(&self.name);
                    }
                });
                let gone = gone.map_err(|error| error.to_string());
                report(&format!("the user {} goes", self.name), gone);
            }
            World::Sim(sim) => sim.revoke(&self.name),
        }
    }
}
