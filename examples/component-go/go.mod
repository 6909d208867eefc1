module triarch.example/component

go 1.21
