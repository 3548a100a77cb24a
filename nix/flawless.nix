# services.mvm-ci.flawless: an engine server, for the workers of others.
self:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./service.nix lib;
  cfg = config.services.mvm-ci.flawless;
  inherit (lib) types;
in
{
  options.services.mvm-ci.flawless = service.options self pkgs // {
    enable = lib.mkEnableOption "an engine server of mvm-ci";
    http = lib.mkOption {
      type = types.str;
      default = "127.0.0.1:27288";
      description = "Where it listens, HOST:PORT. Beyond loopback it demands a token.";
    };
    tokenFile = service.tokenFile "File with the token that it demands. By default one is made, in the data folder.";
    jobs = lib.mkOption {
      type = types.enum [
        "on"
        "off"
      ];
      default = "off";
      description = "Whether it keeps jobs of its own. A member of a pool needs none.";
    };
    maxRuns = service.setting (types.ints.between 1 10000) "Runs at once.";
    threads = service.setting types.ints.positive "Engine threads.";
    graceSeconds = lib.mkOption {
      type = types.ints.between 0 3600;
      default = 20;
      description = "Time that runs under way get when it ends.";
    };
  };

  config = lib.mkIf cfg.enable {
    systemd.services.mvm-ci-flawless = service.unit "Engine server of mvm-ci" // {
      environment = service.environmentOf (service.variables cfg // {
        MVM_CI_FLAWLESS = cfg.http;
        MVM_CI_JOBS = cfg.jobs;
        MVM_CI_MAX_RUNS = cfg.maxRuns;
        MVM_CI_THREADS = cfg.threads;
        MVM_CI_GRACE = cfg.graceSeconds;
        FLAWLESS_TOKEN_FILE = service.credential "token" cfg.tokenFile;
      });
      serviceConfig = service.base {
        name = "mvm-ci-flawless";
        command = [
          "${cfg.package}/bin/flawless"
          "up"
          "--data"
          "/var/lib/mvm-ci-flawless"
        ]
        ++ cfg.extraFlags;
        stopSeconds = cfg.graceSeconds + 10;
        files = {
          token = cfg.tokenFile;
          secrets = cfg.secretsFile;
        };
      };
    };
  };
}
