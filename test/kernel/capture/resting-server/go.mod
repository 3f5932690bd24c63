module resting-server

go 1.19
