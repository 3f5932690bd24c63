module sightline.bench/go-server

go 1.18
