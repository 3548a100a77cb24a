# What NixOS itself has of the options that our modules set.
{ lib, pkgs, ... }:
let
  free = lib.mkOption {
    type = lib.types.anything;
    default = { };
  };
in
{
  options = {
    systemd.services = free;
    networking = free;
    documentation = free;
    environment = free;
    system.stateVersion = free;
    system.build = lib.mkOption {
      type = lib.types.anything;
      default = lib.genAttrs [ "vm" "toplevel" ] (
        name:
        derivation {
          inherit name;
          builder = "none";
          inherit (pkgs.stdenv.hostPlatform) system;
        }
      );
    };
  };
}
