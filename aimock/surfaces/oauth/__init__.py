"""An authorization server that guards a service: `guard` stands before it, `endpoints` give out tokens, `grants`
remembers who may what, `failures` are what tests ask to go wrong."""
