# services.mvm-ci.control-plane: the queue, its API, and what workers join.
self:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./service.nix lib;
  cfg = config.services.mvm-ci.control-plane;
  inherit (lib) types;
  flag = name: value: lib.optionals (value != null) [ "--${name}" value ];
in
{
  options.services.mvm-ci.control-plane = service.options self pkgs // service.networkOptions "Whether it publishes its addresses in a public DNS." // {
    enable = lib.mkEnableOption "the control plane of mvm-ci";
    http = lib.mkOption {
      type = types.str;
      default = "127.0.0.1:3020";
      description = "Address of the HTTP API, HOST:PORT. Beyond loopback it demands the operator's token.";
    };
    peerPort = lib.mkOption {
      type = types.port;
      default = 3021;
      description = "UDP port that workers reach.";
    };
    openFirewall = lib.mkOption {
      type = types.bool;
      default = false;
      description = "Whether the UDP port is open in the firewall. The API's never is.";
    };
    advertise = service.setting (types.listOf types.str) "Further addresses for tickets, HOST:PORT.";
    tokenFile = service.tokenFile "File with the operator's token. By default one is made, in the data folder.";
    flawless = lib.mkOption {
      type = types.str;
      default = "off";
      description = "Address of the engine server beside it, HOST:PORT, or off.";
    };
    flawlessTokenFile = service.tokenFile "File with the token that the engine server demands.";
    engine = lib.mkOption {
      type = types.enum [
        "on"
        "off"
      ];
      default = "off";
      description = "Whether it lends its engine to workers whose flawlessUrl says so.";
    };
    leaseMs = service.setting (types.ints.between 1 3600000) "The jobs of a worker that is silent for so long go on elsewhere.";
    keepCompleted = service.setting types.str "Which completed jobs are kept: 7d, 100000, or 7d,100000.";
    keepFailed = service.setting types.str "Which failed jobs are kept.";
    keepCancelled = service.setting types.str "Which cancelled jobs are kept.";
  };

  config = lib.mkIf cfg.enable {
    networking.firewall.allowedUDPPorts = lib.optionals cfg.openFirewall [ cfg.peerPort ];
    systemd.services.mvm-ci-control-plane = service.unit "Control plane of mvm-ci" // {
      environment = service.environmentOf (service.variables cfg // {
        MVM_CI_DATA = "%S/mvm-ci-control-plane";
        MVM_CI_ADVERTISE = cfg.advertise;
        MVM_CI_TOKEN_FILE = service.credential "token" cfg.tokenFile;
        MVM_CI_FLAWLESS = cfg.flawless;
        MVM_CI_ENGINE = cfg.engine;
        MVM_CI_LEASE_MS = cfg.leaseMs;
        MVM_CI_RELAY = cfg.relay;
        MVM_CI_DISCOVERY = cfg.discovery;
        FLAWLESS_TOKEN_FILE = service.credential "flawless-token" cfg.flawlessTokenFile;
      });
      serviceConfig = service.base {
        name = "mvm-ci-control-plane";
        command =
          [
            "${cfg.package}/bin/mvm-ci"
            "control-plane"
            "--http"
            cfg.http
            "--bind"
            "0.0.0.0:${toString cfg.peerPort}"
          ]
          ++ flag "keep-completed" cfg.keepCompleted
          ++ flag "keep-failed" cfg.keepFailed
          ++ flag "keep-cancelled" cfg.keepCancelled
          ++ cfg.extraFlags;
        # Its end takes at most 18 s.
        stopSeconds = 30;
        files = {
          token = cfg.tokenFile;
          secrets = cfg.secretsFile;
          flawless-token = cfg.flawlessTokenFile;
        };
      };
    };
  };
}
