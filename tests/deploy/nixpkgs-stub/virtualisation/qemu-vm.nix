{ lib, ... }:
{
  options.virtualisation = lib.mkOption {
    type = lib.types.anything;
    default = { };
  };
}
