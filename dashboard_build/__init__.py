"""The dashboard's files, served under `/_`: this module only makes their folder a package."""
