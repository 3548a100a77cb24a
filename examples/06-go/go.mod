module mvm-ci.example/go-fetches

go 1.21
