"""How-to pages, one for each job. `README.md` lists them."""
