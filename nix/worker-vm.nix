# A virtual machine that is one worker, without a disk of its own: it may die at any moment, and its jobs go on elsewhere.
#   mkdir join && npx mvm-ci ticket create --uses 1 > join/ticket
#   MVM_CI_JOIN=$PWD/join nix run .#worker-vm
{
  lib,
  modulesPath,
  ...
}:
{
  imports = [ "${modulesPath}/virtualisation/qemu-vm.nix" ];

  networking.hostName = "mvm-ci-worker";
  system.stateVersion = lib.trivial.release;

  services.mvm-ci.worker = {
    enable = true;
    ticketFile = "/join/ticket";
    http = "0.0.0.0:3030";
  };
  # The worker starts when the folder with its ticket is there.
  systemd.services.mvm-ci-worker.unitConfig.RequiresMountsFor = "/join";

  virtualisation = {
    cores = 2;
    memorySize = 1024;
    graphics = false;
    # The root is in memory.
    diskImage = null;
    sharedDirectories.join = {
      # Of the shell that starts the machine.
      source = "$MVM_CI_JOIN";
      target = "/join";
    };
  };
  documentation.enable = false;
}
