# As much of nixpkgs' lib as our modules and our flake use, for tests on machines without nixpkgs. Owns a small module system:
# options with types that are checked, definitions under mkIf and mkForce, imports.
let
  isType = type: value: builtins.isAttrs value && (value._type or null) == type;
  recursiveUpdate =
    left: right:
    if builtins.isAttrs left && builtins.isAttrs right && !(left ? outPath) && !(right ? outPath) then
      left // builtins.mapAttrs (name: value: if left ? ${name} then recursiveUpdate left.${name} value else value) right
    else
      right;
  mkType = name: check: { inherit name check; };

  lib = rec {
    inherit (builtins)
      mapAttrs
      listToAttrs
      concatStringsSep
      elem
      ;
    trivial.release = "25.11";
    genAttrs = names: make: listToAttrs (map (name: { inherit name; value = make name; }) names);
    filterAttrs =
      keep: set:
      listToAttrs (
        builtins.concatMap (name: if keep name set.${name} then [ { inherit name; value = set.${name}; } ] else [ ]) (
          builtins.attrNames set
        )
      );
    mapAttrsToList = make: set: map (name: make name set.${name}) (builtins.attrNames set);
    optionals = condition: list: if condition then list else [ ];
    escapeShellArgs = words: concatStringsSep " " (map (word: "'" + toString word + "'") words);

    mkOption = fields: fields // { _type = "option"; };
    mkEnableOption =
      what:
      mkOption {
        type = types.bool;
        default = false;
        description = "Whether to enable ${what}.";
      };
    mkIf = condition: content: {
      _type = "if";
      inherit condition content;
    };
    mkForce = content: {
      _type = "force";
      inherit content;
    };

    types = rec {
      bool = mkType "boolean" builtins.isBool;
      str = mkType "string" builtins.isString;
      path = mkType "path" (value: builtins.isPath value || (builtins.isString value && builtins.substring 0 1 value == "/"));
      package = mkType "package" (value: builtins.isAttrs value || builtins.isString value);
      anything = mkType "anything" (_: true);
      enum = values: mkType "one of ${builtins.toJSON values}" (value: elem value values);
      nullOr = type: mkType "null or ${type.name}" (value: value == null || type.check value);
      listOf = type: mkType "list of ${type.name}" (value: builtins.isList value && builtins.all type.check value);
      ints = {
        between = low: high: mkType "integer from ${toString low} to ${toString high}" (value: builtins.isInt value && value >= low && value <= high);
        positive = mkType "positive integer" (value: builtins.isInt value && value > 0);
      };
      port = ints.between 0 65535;
    };

    # { config } of modules: each is a set or a function of { config, lib, pkgs, … }.
    evalModules =
      {
        modules,
        specialArgs ? { },
      }:
      let
        arguments = specialArgs // { inherit lib config; };
        load =
          module:
          let
            read = if builtins.isPath module || builtins.isString module then import module else module;
            loaded = if builtins.isFunction read then read arguments else read;
          in
          builtins.concatMap load (loaded.imports or [ ]) ++ [ loaded ];
        all = builtins.concatMap load modules;
        options = builtins.foldl' recursiveUpdate { } (map (module: module.options or { }) all);
        definitionOf =
          module:
          if module ? config then module.config else removeAttrs module [ "imports" "options" ];
        # A definition without our marks.
        plain =
          value:
          if isType "force" value then
            plain value.content
          else if builtins.isAttrs value && !(value ? outPath) then
            builtins.mapAttrs (_: plain) value
          else
            value;
        # What a definition says at a path: a list of one, or of none. A condition is asked only when its content says something
        # there, since conditions are options themselves.
        find =
          path: value:
          if isType "if" value then
            let
              inner = find path value.content;
            in
            if inner == [ ] then
              [ ]
            else if value.condition then
              inner
            else
              [ ]
          else if path == [ ] then
            [ (plain value) ]
          else if builtins.isAttrs value && value ? ${builtins.head path} then
            find (builtins.tail path) value.${builtins.head path}
          else
            [ ];
        definitions = map definitionOf all;
        at =
          path: option:
          if isType "option" option then
            let
              where = concatStringsSep "." path;
              found = builtins.concatMap (find path) definitions;
              value =
                if found == [ ] then
                  option.default or (throw "${where} has no value, and needs one")
                else
                  builtins.foldl' recursiveUpdate (builtins.head found) (builtins.tail found);
            in
            if option.type.check value then
              value
            else
              throw "${where} must be ${option.type.name}, and is ${builtins.toJSON value}"
          else
            builtins.mapAttrs (name: at (path ++ [ name ])) option;
        # The first name in a definition that no option has.
        stranger =
          where: option: value:
          if isType "option" option || isType "if" value then
            [ ]
          else
            builtins.concatMap (
              name:
              if option ? ${name} then
                stranger "${where}${name}." option.${name} value.${name}
              else
                [ "${where}${name}" ]
            ) (builtins.attrNames value);
        strangers = builtins.concatMap (stranger "" options) definitions;
        config =
          if strangers == [ ] then at [ ] options else throw "${builtins.head strangers} is no option";
      in
      {
        inherit config options;
      };

    nixosSystem =
      { system, modules }:
      evalModules {
        specialArgs = {
          modulesPath = toString ./.;
          pkgs.stdenv.hostPlatform.system = system;
        };
        modules = modules ++ [ ./nixos.nix ];
      };
  };
in
lib
