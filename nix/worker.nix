# services.mvm-ci.worker: a worker that joins a control plane by a ticket. It opens no port.
self:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./service.nix lib;
  cfg = config.services.mvm-ci.worker;
  inherit (lib) types;
in
{
  options.services.mvm-ci.worker = service.options self pkgs // service.networkOptions "Whether nodes are looked up in a public DNS." // {
    enable = lib.mkEnableOption "a worker of mvm-ci";
    ticketFile = lib.mkOption {
      type = types.path;
      example = "/run/keys/mvm-ci-ticket";
      description = "File with the control plane's ticket, as a text: a path on the machine, never in the Nix store.";
    };
    slots = service.setting (types.ints.between 1 1000) "Jobs at once.";
    tags = service.setting (types.listOf types.str) "What it has, for jobs that require it.";
    queues = service.setting (types.listOf types.str) "The queues that it takes jobs of.";
    name = service.setting types.str "A name for people.";
    threads = service.setting types.ints.positive "Engine threads.";
    graceSeconds = lib.mkOption {
      type = types.ints.between 0 3600;
      default = 20;
      description = "Time that running jobs get when it ends.";
    };
    http = lib.mkOption {
      type = types.nullOr types.str;
      default = "127.0.0.1:3030";
      description = "Where it tells of its health and its metrics, HOST:PORT.";
    };
    flawlessUrl = service.setting types.str "Where its jobs run: by default in an engine of its own.";
    flawlessTokenFile = service.tokenFile "File with the token of the engine servers.";
  };

  config = lib.mkIf cfg.enable {
    systemd.services.mvm-ci-worker = service.unit "Worker of mvm-ci" // {
      environment = service.environmentOf (service.variables cfg // {
        CONTROL_PLANE_TICKET = "%d/ticket";
        # The same node after a restart.
        MVM_CI_WORKER_DATA = "%S/mvm-ci-worker";
        MVM_CI_WORKER_HTTP = cfg.http;
        MVM_CI_GRACE = cfg.graceSeconds;
        MVM_CI_SLOTS = cfg.slots;
        MVM_CI_TAGS = cfg.tags;
        MVM_CI_QUEUES = cfg.queues;
        MVM_CI_NAME = cfg.name;
        MVM_CI_THREADS = cfg.threads;
        MVM_CI_RELAY = cfg.relay;
        MVM_CI_DISCOVERY = cfg.discovery;
        FLAWLESS_URL = cfg.flawlessUrl;
        FLAWLESS_TOKEN_FILE = service.credential "flawless-token" cfg.flawlessTokenFile;
      });
      serviceConfig = service.base {
        name = "mvm-ci-worker";
        command = [ "${cfg.package}/bin/worker" ] ++ cfg.extraFlags;
        # The grace time, 8 s for giving back, and 2 s more.
        stopSeconds = cfg.graceSeconds + 10;
        files = {
          ticket = cfg.ticketFile;
          secrets = cfg.secretsFile;
          flawless-token = cfg.flawlessTokenFile;
        };
      };
    };
  };
}
