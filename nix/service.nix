# What the systemd services of all our processes have in common.
lib: rec {
  # An option of one setting: undefined means the program's own default.
  setting =
    type: description:
    lib.mkOption {
      type = lib.types.nullOr type;
      default = null;
      inherit description;
    };

  tokenFile =
    description:
    lib.mkOption {
      type = lib.types.nullOr lib.types.path;
      default = null;
      inherit description;
    };

  # The options that each of them has.
  options = self: pkgs: {
    package = lib.mkOption {
      type = lib.types.package;
      default = self.packages.${pkgs.stdenv.hostPlatform.system}.mvm-ci;
      description = "The package whose programs run.";
    };
    secretsFile = tokenFile "File of the secrets that workflows may send: for an engine in this process.";
    otlpEndpoint = setting lib.types.str "Base URL of a collector of traces.";
    logLevel = setting lib.types.str "trace, debug, info, warn, error or silent.";
    extraFlags = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Further flags: docs/reference/cli.md lists them.";
    };
  };

  # How those that talk over the internet find each other; `what` is looked up or published.
  networkOptions = what: {
    relay = setting lib.types.str "none, default, or the URL of a relay.";
    discovery = setting (lib.types.enum [
      "none"
      "default"
    ]) what;
  };

  # The variables of the options that each of them has.
  variables = cfg: {
    MVM_CI_SECRETS = credential "secrets" cfg.secretsFile;
    OTEL_EXPORTER_OTLP_ENDPOINT = cfg.otlpEndpoint;
    RUST_LOG = cfg.logLevel;
  };

  # Where the service finds a file that `credentials` gives it; null when there is none.
  credential = name: path: if path == null then null else "%d/${name}";

  # Variables of the settings that somebody set, as texts.
  environmentOf =
    settings:
    lib.mapAttrs (
      _: value: if builtins.isList value then lib.concatStringsSep "," value else toString value
    ) (lib.filterAttrs (_: value: value != null && value != [ ]) settings);

  # A file for the service alone, whoever owns it on the machine: `name` in the folder %d.
  credentials =
    files:
    lib.mapAttrsToList (name: path: "${name}:${toString path}") (
      lib.filterAttrs (_: path: path != null) files
    );

  base =
    {
      name,
      command,
      stopSeconds,
      files ? { },
    }:
    {
      ExecStart = lib.escapeShellArgs command;
      Restart = "always";
      RestartSec = 2;
      # A wrong setting or a ticket that is refused: starting again would not help.
      RestartPreventExitStatus = 2;
      KillSignal = "SIGTERM";
      TimeoutStopSec = stopSeconds;
      LoadCredential = credentials files;

      DynamicUser = true;
      StateDirectory = name;
      StateDirectoryMode = "0700";
      WorkingDirectory = "%S/${name}";
      UMask = "0077";

      CapabilityBoundingSet = "";
      LockPersonality = true;
      # Compiled JavaScript and WebAssembly are memory that is written and then run.
      MemoryDenyWriteExecute = false;
      NoNewPrivileges = true;
      PrivateDevices = true;
      PrivateTmp = true;
      PrivateUsers = true;
      ProcSubset = "all";
      ProtectClock = true;
      ProtectControlGroups = true;
      ProtectHome = true;
      ProtectHostname = true;
      ProtectKernelLogs = true;
      ProtectKernelModules = true;
      ProtectKernelTunables = true;
      ProtectProc = "invisible";
      ProtectSystem = "strict";
      RemoveIPC = true;
      RestrictAddressFamilies = [
        "AF_INET"
        "AF_INET6"
        # The peer endpoint watches the machine's addresses.
        "AF_NETLINK"
        "AF_UNIX"
      ];
      RestrictNamespaces = true;
      RestrictRealtime = true;
      RestrictSUIDSGID = true;
      SystemCallArchitectures = "native";
      SystemCallFilter = [
        "@system-service"
        "~@privileged"
      ];
    };

  # Of a service that needs the network.
  unit = description: {
    inherit description;
    wantedBy = [ "multi-user.target" ];
    wants = [ "network-online.target" ];
    after = [ "network-online.target" ];
  };
}
