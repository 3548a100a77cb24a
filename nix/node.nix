# The Node that runs mvm-ci.
pkgs: pkgs.nodejs_26 or (throw "mvm-ci needs Node 26, and this nixpkgs has none: take a newer one")
