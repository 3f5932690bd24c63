module sightline.bench/go-pair

go 1.18
