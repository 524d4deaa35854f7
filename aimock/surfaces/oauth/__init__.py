"""An authorization server that guards services: `guard` stands before a service, `grants` remembers who may what."""
