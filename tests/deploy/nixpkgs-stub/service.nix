# The service that one of our modules makes of these settings, as data.
{
  module,
  name,
  settings,
}:
let
  lib = import ./lib.nix;
  self.packages.x86_64-linux.mvm-ci = "/programs";
  inherit
    (lib.evalModules {
      specialArgs.pkgs.stdenv.hostPlatform.system = "x86_64-linux";
      modules = [
        (import module self)
        ./nixos.nix
        { services.mvm-ci.${name} = settings; }
      ];
    })
    config
    options
    ;
in
{
  service = config.systemd.services."mvm-ci-${name}" or null;
  firewall = config.networking.firewall.allowedUDPPorts or [ ];
  options = builtins.attrNames options.services.mvm-ci.${name};
}
