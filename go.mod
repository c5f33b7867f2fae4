module github.com/hopgate/hopgate

go 1.26
